"""Pages: nothing is left out, nothing comes twice, also while queues move."""

from typing import Any

import pytest

from millpond.store import Store
from tests.api.hand import Hand
from tests.api.replica import Replica


def pages(api: Replica, query: str, limit: int) -> list[list[dict[str, Any]]]:
    """All pages of a list."""
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        answer = api.http.get(f"/v1/jobs?{query}&limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["jobs"])
        cursor = answer.json()["next"]
        if cursor is None:
            return found


def fill(api: Replica, hand: Hand) -> dict[str, set[str]]:
    """12 jobs in each place, over two queues."""
    hand.queues = ["default", "other"]
    started = {api.submit({"task": "sleep", "queue": queue}).json()["id"] for queue in ("default", "other") * 6}
    assert {job.id for job in hand.begin(12)} == started
    queued = {api.submit({"task": "sleep", "queue": queue}).json()["id"] for queue in ("default", "other") * 6}
    body = {"task": "sleep", "run_at": "2999-01-01T00:00:00Z"}  # all due at once: told apart by their ids
    scheduled = {api.submit({**body, "queue": queue}).json()["id"] for queue in ("default", "other") * 6}
    return {"started": started, "queued": queued, "scheduled": scheduled}


@pytest.mark.parametrize("limit", [1, 5, 12, 500])
def test_pages_hold_each_job_once(api: Replica, hand: Hand, limit: int) -> None:
    places = fill(api, hand)
    for status, ids in places.items():
        met = [job["id"] for page in pages(api, f"status={status}", limit) for job in page]
        assert sorted(met) == sorted(ids), status
        assert all(len(page) <= limit for page in pages(api, f"status={status}", limit))
    met = [job["id"] for page in pages(api, "status=queued,started,scheduled", limit) for job in page]
    assert sorted(met) == sorted(set.union(*places.values()))


def test_a_queue_that_moves_between_pages_upsets_nothing(api: Replica, hand: Hand) -> None:
    ids = [api.submit({"task": "sleep"}).json()["id"] for _ in range(20)]
    first = api.http.get("/v1/jobs?status=queued&limit=8").json()
    assert [job["id"] for job in first["jobs"]] == ids[:11:-1]
    hand.begin(5)  # from the head
    new = [api.submit({"task": "sleep"}).json()["id"] for _ in range(3)]  # at the tail
    second = api.http.get(f"/v1/jobs?status=queued&limit=50&cursor={first['next']}").json()
    assert [job["id"] for job in second["jobs"]] == ids[11:4:-1]
    assert new[2] == api.http.get("/v1/jobs?status=queued&limit=1").json()["jobs"][0]["id"]


def test_long_results_end_a_page_early(api: Replica, hand: Hand, store: Store) -> None:
    ids = {api.submit({"task": "echo", "tags": {"long": "yes"}}).json()["id"] for _ in range(8)}
    hand.finish(*hand.begin(8), result="x" * 1_000_000)
    hand.collect(store)
    found = pages(api, "tag.long=yes", 500)
    assert len(found) > 1
    assert max(map(len, found)) <= 5
    assert {job["id"] for page in found for job in page} == ids
