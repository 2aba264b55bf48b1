"""Limits of tasks, from the catalogue to the job that is held."""

from typing import Any

import orjson
import pytest

from millpond import catalogue, moves
from millpond.store import Store
from millpond.task import Task
from tests.api.batch import upload
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.until import until


def call(path: str) -> None: ...
def fetch(site: str, depth: int = 1) -> None: ...


LIMITED = {
    "call": Task(name="call", function=call, concurrency=1, rate_per_s=1000, limit_by="tags.customer"),
    "fetch": Task(name="fetch", function=fetch, concurrency=2, limit_by="site"),
    "turn": Task(name="turn", function=call, concurrency=1),
}


@pytest.fixture
def limited(api: Replica, hand: Hand) -> Replica:
    catalogue.publish(hand.client, LIMITED)
    until(lambda: {"call", "fetch", "turn"} <= {task["name"] for task in api.http.get("/v1/tasks").json()["tasks"]}, 5)
    return api


def submit(api: Replica, task: str, **body: Any) -> str:
    answer = api.submit({"task": task, **body})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def gate_of(hand: Hand, id: str) -> str:
    return (hand.client.hget(f"rq:job:{id}", "gate") or b"").decode()  # type: ignore[union-attr]


def test_tasks_tell_their_limits(limited: Replica) -> None:
    tasks = {task["name"]: task for task in limited.http.get("/v1/tasks").json()["tasks"]}
    shown = {name: tasks["call"][name] for name in ("concurrency", "rate_per_s", "limit_by")}
    assert shown == {"concurrency": 1, "rate_per_s": 1000, "limit_by": "tags.customer"}
    assert [tasks["add"][name] for name in shown] == [None, None, None]


def test_a_job_has_its_gate_whichever_way_it_came(limited: Replica, hand: Hand) -> None:
    ways: list[tuple[str, dict[str, Any], str]] = [
        ("add", {"args": [1]}, ""),
        ("turn", {"args": ["a"]}, "1 0 0 turn"),
        ("turn", {"args": ["a"], "front": True}, "1 0 0 turn"),
        ("fetch", {"args": ["a.com"]}, "2 0 0 fetch:a.com"),
        ("fetch", {"kwargs": {"site": "b.com"}}, "2 0 0 fetch:b.com"),
        ("fetch", {"args": ["a.com"], "delay_s": 60}, "2 0 0 fetch:a.com"),
        ("call", {"args": ["a"]}, "1 1000 1000 call:"),
        ("call", {"args": ["a"], "tags": {"customer": "acme"}}, "1 1000 1000 call:acme"),
    ]
    assert [gate_of(hand, submit(limited, task, **body)) for task, body, _ in ways] == [gate for *_, gate in ways]
    lines = b"\n".join(orjson.dumps({"task": task, **body}) for task, body, _ in ways)
    batch = upload(limited, lines).json()["id"]
    assert [gate_of(hand, moves.line_id(batch, number)) for number in range(1, len(ways) + 1)] == [gate for *_, gate in ways]


def test_a_held_job_is_queued_and_says_why(limited: Replica, hand: Hand) -> None:
    first, second = (submit(limited, "call", args=["a"], tags={"customer": "acme"}) for _ in range(2))
    other = submit(limited, "call", args=["a"], tags={"customer": "else"})
    running = hand.begin(5)
    assert [job.id for job in running] == [first, other]
    job = limited.http.get(f"/v1/jobs/{second}").json()
    assert (job["status"], job["reason"], job["version"]) == ("queued", "held", 2)
    (row,) = limited.http.get("/v1/queues").json()["queues"]
    assert (row["queued"], row["held"], row["started"]) == (1, 1, 2)
    until(lambda: limited.http.get("/v1/stats").json()["held"] == 1, 3, "the totals say so, too")
    listed = limited.http.get("/v1/jobs", params={"status": "queued"}).json()["jobs"]
    assert [(one["id"], one["reason"]) for one in listed] == [(second, "held")]
    hand.finish(running[0])
    assert limited.http.get(f"/v1/jobs/{second}").json()["reason"] is None
    assert [job.id for job in hand.claim(5)] == [second]


def test_many_held_jobs_are_listed_in_pages(limited: Replica, hand: Hand) -> None:
    ids = [submit(limited, "turn", args=["a"]) for _ in range(8)]
    hand.begin(5)
    seen: list[str] = []
    cursor = None
    while True:
        page = limited.http.get("/v1/jobs", params={"status": "queued", "limit": "3", "cursor": cursor}).json()
        seen += [job["id"] for job in page["jobs"]]
        if (cursor := page["next"]) is None:
            break
    assert sorted(seen) == ids[1:]


def test_a_held_job_can_be_canceled_and_run_again(limited: Replica, hand: Hand) -> None:
    first, second = (submit(limited, "turn", args=["a"]) for _ in range(2))
    assert [job.id for job in hand.begin(5)] == [first]
    assert limited.http.post(f"/v1/jobs/{second}/cancel").json()["status"] == "canceled"
    assert limited.http.get("/v1/queues").json()["queues"][0]["held"] == 0
    assert limited.http.post(f"/v1/jobs/{second}/retry").status_code == 200
    assert hand.claim(5) == []
    assert limited.http.get(f"/v1/jobs/{second}").json()["reason"] == "held"


def test_a_forgotten_job_that_runs_again_has_the_limits_of_its_task(limited: Replica, hand: Hand, store: Store) -> None:
    id = submit(limited, "fetch", args=["a.com"])
    hand.fail(*hand.begin())
    hand.collect(store, id)
    hand.client.delete(f"rq:job:{id}")
    assert limited.http.post(f"/v1/jobs/{id}/retry").status_code == 200
    assert gate_of(hand, id) == "2 0 0 fetch:a.com"
    assert limited.http.get(f"/v1/jobs/{id}").json()["run"] == 2
