"""Any replica answers for any job: two of them in strict alternation (DESIGN, must-show 6)."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millpond.store import Store
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.until import until


@pytest.fixture
def pair(api: Replica, shared_database: str, tmp_path: Path) -> Iterator["itertools.cycle[Replica]"]:
    """Each call goes to the other replica."""
    with Replica(tmp_path, api.env["MILLPOND_REDIS_URL"], shared_database) as other:
        until(other.is_ready, 5)
        yield itertools.cycle([api, other])


def test_two_replicas_in_strict_alternation(pair: "itertools.cycle[Replica]", hand: Hand, store: Store) -> None:
    ids = [next(pair).submit({"task": "add", "args": [number]}).json()["id"] for number in range(10)]
    assert [next(pair).job(id)["status"] for id in ids] == ["queued"] * 10
    assert next(pair).http.post(f"/v1/jobs/{ids[9]}/cancel").status_code == 200
    assert next(pair).job(ids[9])["status"] == "canceled"
    held = hand.begin(2)
    for replica in (next(pair), next(pair)):
        assert {job["id"] for job in replica.http.get("/v1/jobs?status=started").json()["jobs"]} == set(ids[:2])
    assert next(pair).http.post(f"/v1/jobs/{ids[0]}/cancel").status_code == 202
    hand.finish(*held, result=1)
    hand.collect(store)
    for replica in (next(pair), next(pair)):
        listed = {job["id"]: job["status"] for job in replica.http.get("/v1/jobs?limit=10").json()["jobs"]}
        assert listed == {id: "finished" if id in ids[:2] else "canceled" if id == ids[9] else "queued" for id in ids}
    assert next(pair).http.post("/v1/queues/default/pause").status_code == 200
    assert [queue["paused"] for queue in next(pair).http.get("/v1/queues").json()["queues"]] == [True]


def test_each_replica_can_wait_for_a_job_of_the_other(pair: "itertools.cycle[Replica]", hand: Hand) -> None:
    ids = [next(pair).submit({"task": "add", "args": [number]}).json()["id"] for number in range(4)]
    next(pair)  # so that each job is waited for at the other one
    answers: dict[str, Any] = {}

    def wait(replica: Replica, id: str) -> None:
        answers[id] = replica.http.get(f"/v1/jobs/{id}?wait=8").json()

    threads = [threading.Thread(target=wait, args=(next(pair), id)) for id in ids]
    for thread in threads:
        thread.start()
    until(lambda: all(hand.client.hexists(f"rq:job:{id}", "waiters") for id in ids), 5)
    hand.finish(*hand.begin(4), result="done")
    for thread in threads:
        thread.join(10)
    assert [answers[id]["result"] for id in ids] == ["done"] * 4
