"""What jobs say, over HTTP: pages of it from Redis and from the record, and lines in the event stream as they are said, each once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from millpond import broker, joblog, moves
from millpond.store import Store
from tests.api.hand import Hand
from tests.api.listener import Listener
from tests.api.replica import Replica
from tests.until import until

BODY = {"task": "add", "args": [1], "retry": {"max_attempts": 5}}


@pytest.fixture
def other(api: Replica, shared_database: str, tmp_path: Path) -> Iterator[Replica]:
    """A second replica."""
    with Replica(tmp_path, api.env["MILLPOND_REDIS_URL"], shared_database) as other:
        until(other.is_ready, 5)
        yield other


def say(hand: Hand, job: moves.Claimed, first: int, *texts: str, attempt: int = 1) -> None:
    """Lines of an attempt from number `first` on, one a millisecond."""
    rows = b"\n".join(joblog.row(first + number, "info", text) for number, text in enumerate(texts))
    report = moves.Report(job.id, job.execution, b"", joblog.field(1, attempt, first), rows)
    assert broker.run(hand.client, moves.report([report])) == [True]


def fail_and_go_on(hand: Hand, job: moves.Claimed) -> moves.Claimed:
    outcome = moves.Outcome(job.id, job.execution, "failed", "task_error", b"{}", charged=True, retry_ms=0)
    assert broker.run(hand.client, moves.finish(hand.name, 1, [outcome])) == ["done"]
    assert broker.run(hand.client, moves.promote()) == 1
    (again,) = hand.begin()
    return again


def page(api: Replica, id: str, query: str = "") -> dict[str, Any]:
    answer = api.http.get(f"/v1/jobs/{id}/logs{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def texts(found: dict[str, Any]) -> list[str]:
    return [line["text"] for line in found["lines"]]


def heard(listener: Listener) -> list[str]:
    return [one.document["text"] if one.name == "log" else one.name for one in list(listener.events)]


def test_a_log_is_read_while_its_job_runs_and_after(api: Replica, hand: Hand, store: Store) -> None:
    id = api.submit(BODY).json()["id"]
    assert page(api, id) == {"lines": [], "next": "0.0.0"}
    (job,) = hand.begin()
    say(hand, job, 1, "a", "b")
    found = page(api, id)
    assert (texts(found), found["next"]) == (["a", "b"], "1.1.2")
    assert found["lines"][1].items() >= {"run": 1, "attempt": 1, "line": 2, "level": "info", "text": "b"}.items()
    say(hand, job, 3, "c")
    found = page(api, id, f"?cursor={found['next']}")
    assert (texts(found), found["next"]) == (["c"], "1.1.3")
    job = fail_and_go_on(hand, job)
    say(hand, job, 1, "d", attempt=2)
    assert texts(page(api, id)) == ["a", "b", "c", "d"]
    hand.collect(store)  # the first attempt
    assert texts(page(api, id)) == ["a", "b", "c", "d"]
    hand.finish(job, result=1)
    assert texts(page(api, id)) == ["a", "b", "c", "d"]
    hand.collect(store)
    assert texts(page(api, id)) == ["a", "b", "c", "d"]
    assert not [name for name in hand.hash(id) if name.startswith("l:")], "what is recorded is dropped"
    hand.forget(id)
    found = page(api, id)
    assert (texts(found), found["next"]) == (["a", "b", "c", "d"], None)
    assert [line["attempt"] for line in found["lines"]] == [1, 1, 1, 2]
    assert (texts(page(api, id, "?tail=2")), texts(page(api, id, "?limit=1"))) == (["c", "d"], ["a"])
    assert texts(page(api, id, "?cursor=1.1.1&limit=2")) == ["b", "c"]
    assert texts(page(api, id, "?cursor=1.1.1&limit=2&tail=1")) == ["d"]


def test_lines_are_dated_by_their_attempts_start(api: Replica, hand: Hand) -> None:
    id = api.submit(BODY).json()["id"]
    (job,) = hand.begin()
    say(hand, job, 500, "half a second later")
    (line,) = page(api, id)["lines"]
    started = api.job(id)["started_at"]
    assert line["at"] > started
    assert line["at"][:17] >= started[:17]


def test_a_line_that_is_kept_once_is_told_once(api: Replica, hand: Hand) -> None:
    id = api.submit(BODY).json()["id"]
    (job,) = hand.begin()
    say(hand, job, 1, "a", "b")
    say(hand, job, 1, "a", "b")  # its answer was lost
    assert texts(page(api, id)) == ["a", "b"]


def test_refusals_and_etags(api: Replica, hand: Hand) -> None:
    assert api.http.get("/v1/jobs/none/logs").json()["code"] == "not_found"
    id = api.submit(BODY).json()["id"]
    for query, code in (
        ("limit=0", "bad_parameter"),
        ("tail=x", "bad_parameter"),
        ("cursor=1", "bad_cursor"),
    ):
        answer = api.http.get(f"/v1/jobs/{id}/logs?{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    answer = api.http.get(f"/v1/jobs/{id}/logs")
    unchanged = api.http.get(f"/v1/jobs/{id}/logs", headers={"If-None-Match": answer.headers["ETag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    (job,) = hand.begin()
    say(hand, job, 1, "a")
    assert api.http.get(f"/v1/jobs/{id}/logs", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 200


def test_lines_are_heard_as_they_are_said_and_what_was_missed_by_another_replica(api: Replica, other: Replica, hand: Hand) -> None:
    id = api.submit(BODY).json()["id"]
    (job,) = hand.begin()
    say(hand, job, 1, "a")
    with Listener(api, id) as listener:
        until(lambda: heard(listener) == ["a", "state"], 5, "the lines so far")
        say(hand, job, 2, "b", "c")
        until(lambda: heard(listener) == ["a", "state", "b", "c"], 5, "a line while it runs")
        assert listener.events[-1].document.items() >= {"id": id, "run": 1, "attempt": 1, "line": 3}.items()
        middle, last = listener.events[2].id, listener.last
    with Listener(other, id, last) as listener:
        say(hand, job, 4, "d")
        until(lambda: "d" in heard(listener), 5)
        assert "c" not in heard(listener)
    job = fail_and_go_on(hand, job)
    say(hand, job, 1, "e", attempt=2)
    with Listener(other, id, middle) as listener:
        until(lambda: len(heard(listener)) == 5, 5)
        assert heard(listener) == ["c", "d", "attempt", "e", "state"]


def test_the_last_words_come_before_the_end_also_from_the_record(api: Replica, hand: Hand, store: Store) -> None:
    id = api.submit(BODY).json()["id"]
    (job,) = hand.begin()
    say(hand, job, 1, "a")
    with Listener(api, id) as listener:
        until(lambda: heard(listener) == ["a", "state"], 5)
        place = listener.events[0].id
    say(hand, job, 2, "b")
    hand.finish(job, result=1)
    for _ in range(3):
        with Listener(api, id, place) as listener:
            assert listener.over.wait(5)
            assert heard(listener) == ["b", "end"]
        with Listener(api, id) as listener:
            assert listener.over.wait(5)
            assert heard(listener) == ["a", "b", "end"]
        hand.collect(store)
        hand.client.hdel(f"rq:job:{id}", "watchers")
    hand.forget(id)
