"""/v1/tasks, /v1/queues, /v1/workers."""

import pytest

from tests.api.hand import TASKS, Hand
from tests.api.replica import Replica
from tests.until import until


def test_tasks_tell_what_can_be_submitted(api: Replica) -> None:
    tasks = {task["name"]: task for task in api.http.get("/v1/tasks").json()["tasks"]}
    assert list(tasks) == sorted(TASKS)
    assert [(one["name"], one["required"], one["schema"]["type"]) for one in tasks["add"]["params"]] == [
        ("a", True, "integer"),
        ("b", False, "integer"),
    ]


def test_without_any_task_a_submission_is_503(api: Replica, hand: Hand) -> None:
    hand.client.flushall()
    until(lambda: not api.http.get("/v1/tasks").json()["tasks"], 5)
    answer = api.submit({"task": "add", "args": [1]})
    assert (answer.status_code, answer.json()["code"]) == (503, "no_catalogue")
    hand.offer()
    until(lambda: api.submit({"task": "add", "args": [1]}).status_code == 202, 3, "the first who asks for a new task finds it")


def test_queues_tell_their_figures(api: Replica, hand: Hand) -> None:
    for more in ({}, {}, {}, {}, {"delay_s": 60}, {"queue": "other"}):
        api.submit({"task": "add", "args": [1], **more})
    first, second, _ = hand.begin(3)
    hand.finish(first)
    hand.fail(second)
    rows = {row["name"]: row for row in api.http.get("/v1/queues").json()["queues"]}
    assert list(rows) == ["default", "other"]
    counts = {name: rows["default"][name] for name in ("queued", "started", "scheduled", "failed", "paused")}
    assert counts == {"queued": 1, "started": 1, "scheduled": 1, "failed": 1, "paused": False}
    assert 0 < rows["default"]["drain_per_s"] <= 2 / 60
    assert 0 <= rows["default"]["oldest_s"] < 60
    assert (rows["other"]["queued"], rows["other"]["drain_per_s"]) == (1, 0)


def test_an_unused_queue_of_a_task_is_listed(api: Replica) -> None:
    (row,) = api.http.get("/v1/queues").json()["queues"]
    assert (row["name"], row["queued"], row["oldest_s"]) == ("default", 0, None)


def test_a_paused_queue_keeps_its_jobs(api: Replica, hand: Hand) -> None:
    api.submit({"task": "add", "args": [1]})
    for _ in range(2):  # saying it twice is the same
        answer = api.http.post("/v1/queues/default/pause")
        assert (answer.status_code, answer.json()) == (200, {"name": "default", "paused": True})
    assert hand.claim() == []
    assert api.http.get("/v1/queues").json()["queues"][0]["paused"] is True
    assert api.submit({"task": "add", "args": [2]}).status_code == 202
    assert api.http.post("/v1/queues/default/resume").json() == {"name": "default", "paused": False}
    assert len(hand.claim(2)) == 2


@pytest.mark.parametrize("name", ["Bad", "a b", "-a", "a" * 65])
def test_a_queue_that_cannot_be_is_404(api: Replica, name: str) -> None:
    assert api.http.post(f"/v1/queues/{name}/pause").status_code == 404


def test_workers_tell_what_they_hold(api: Replica, hand: Hand) -> None:
    api.submit({"task": "add", "args": [1]})
    hand.begin()
    (worker,) = api.http.get("/v1/workers").json()["workers"]
    shown = {name: worker[name] for name in ("name", "queues", "alive", "jobs", "hostname", "pid")}
    assert shown == {"name": "hand", "queues": ["default"], "alive": True, "jobs": 1, "hostname": "here", "pid": 1}
    until(lambda: not api.http.get("/v1/workers").json()["workers"][0]["alive"], 6, "its last heartbeat is old")


def test_broken_keys_do_not_hide_the_rest(api: Replica, hand: Hand) -> None:
    api.submit({"task": "add", "args": [1]})
    for key in ("rq:wip:default", "mp:drained:default", "rq:worker:hand", "mp:paused", "rq:scheduled:default"):
        hand.client.delete(key)
        hand.client.set(key, "text")
    (row,) = api.http.get("/v1/queues").json()["queues"]
    assert (row["queued"], row["started"], row["drain_per_s"]) == (1, 0, 0)
    assert api.http.get("/v1/workers").json()["workers"][0]["name"] == "hand"
    for status in ("queued", "started", "scheduled"):
        assert api.http.get(f"/v1/jobs?status={status}").status_code == 200
    assert api.http.get("/metrics").status_code == 200
