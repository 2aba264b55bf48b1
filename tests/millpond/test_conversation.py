"""What is repeated, with which key, how long, and what is told when no repeat helps; without a socket."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from millpond import conversation
from millpond.conversation import ApiError, NoAnswer, Pause, Reply, Send, Talk
from millpond.views import JobError, JobView

JOB = {"id": "a1", "status": "queued", "task": "resize", "tags": {}, "something_new": 1}
ENDED = JOB | {"status": "finished"}
LOST, REFUSED = NoAnswer(sent=True, why="ReadTimeout"), NoAnswer(sent=False, why="ConnectError")


def reply(status: int, document: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, headers or {}, orjson.dumps(document))


def problem(status: int, code: str, after: str | None = None, **data: Any) -> Reply:
    return reply(status, {"code": code, "detail": "Because.", **data}, {"retry-after": after} if after else {})


def play(talk: Talk[Any], *answers: Reply | NoAnswer) -> tuple[Any, list[Send], list[float]]:
    """The call's value or error, the requests that it sent, and the pauses between them."""
    waiting = list(answers)
    sent: list[Send] = []
    pauses: list[float] = []
    answer: Reply | NoAnswer | None = None
    while True:
        try:
            step = talk.send(answer)
        except StopIteration as end:
            assert not waiting
            return end.value, sent, pauses
        except ApiError as error:
            assert not waiting
            return error, sent, pauses
        if isinstance(step, Pause):
            pauses.append(step.seconds)
            answer = None
        else:
            sent.append(step)
            answer = waiting.pop(0)


def submit(timeout_s: float = 60, wait_s: float | None = None) -> Talk[JobView]:
    return conversation.submit({"task": "resize", "args": [1], "kwargs": {}}, "key-1", wait_s, timeout_s)


def test_a_submission() -> None:
    job, (sent,), pauses = play(submit(), reply(202, JOB))
    assert job == JobView(id="a1", status="queued", task="resize")
    assert (sent.method, sent.path, sent.headers["Idempotency-Key"]) == ("POST", "/v1/jobs", "key-1")
    assert sent.body == b'{"task":"resize","args":[1],"kwargs":{}}'
    assert not pauses


def test_a_submission_of_unknown_fate_is_repeated_with_its_key() -> None:
    job, sent, pauses = play(
        submit(), LOST, REFUSED, problem(503, "outcome_unknown"), problem(503, "redis_unavailable"), problem(429, "quota"), reply(202, JOB)
    )
    assert job.id == "a1"
    assert {request.headers["Idempotency-Key"] for request in sent} == {"key-1"}
    assert len({request.body for request in sent}) == 1
    assert len(pauses) == 5
    assert pauses[4] > pauses[0]


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_a_change_of_unknown_fate_is_repeated_only_with_its_version(verb: str) -> None:
    for lost in (LOST, problem(503, "outcome_unknown"), Reply(502, {}, b"<html>"), Reply(504, {}, b"")):
        error, sent, _ = play(conversation.change("a1", verb, None, 60), lost)
        assert isinstance(error, ApiError)
        assert len(sent) == 1
        job, sent, _ = play(conversation.change("a1", verb, 7, 60), lost, reply(200, JOB))
        assert job.id == "a1"
        assert [request.headers["If-Match"] for request in sent] == ['"7"', '"7"']
    job, sent, _ = play(conversation.change("a1", verb, None, 60), REFUSED, problem(503, "redis_unavailable"), reply(200, JOB))
    assert len(sent) == 3


@pytest.mark.parametrize("status", [400, 401, 404, 409, 413, 422, 500])
def test_a_refusal_is_told_at_once(status: int) -> None:
    faults = [{"pointer": "#/args/0", "code": "wrong_type", "detail": "No."}]
    error, sent, _ = play(submit(), problem(status, "some_code", errors=faults))
    assert isinstance(error, ApiError)
    assert (error.status, error.code, error.detail, error.faults) == (status, "some_code", "Because.", faults)
    assert len(sent) == 1


def test_retry_after_is_heeded() -> None:
    _, _, (pause,) = play(submit(), problem(503, "no_catalogue", after="7"), reply(202, JOB))
    assert pause == 7
    error, sent, pauses = play(submit(timeout_s=5), problem(503, "no_catalogue", after="7"))
    assert isinstance(error, ApiError)
    assert (error.retry_after_s, len(sent), pauses) == (7, 1, [])


def test_the_time_ends() -> None:
    error, sent, _ = play(submit(timeout_s=0), LOST)
    assert isinstance(error, ApiError)
    assert (error.status, error.code, error.detail) == (0, "no_answer", "ReadTimeout")
    assert sent[0].timeout_s > 0


def test_a_silent_replica_does_not_use_up_the_time() -> None:
    _, (sent,), _ = play(submit(timeout_s=10), reply(202, JOB))
    assert sent.timeout_s == 5
    _, (sent,), _ = play(submit(timeout_s=10, wait_s=30), reply(200, ENDED))
    assert sent.timeout_s == 35
    assert sent.headers["Prefer"] == "wait=30"


def test_a_proxys_page_is_an_error_too() -> None:
    error, _, _ = play(submit(timeout_s=0), Reply(502, {}, b"<html>Bad gateway</html>"))
    assert isinstance(error, ApiError)
    assert (error.code, error.detail) == ("http_502", "<html>Bad gateway</html>")
    for body in (b"[]", b"3", b'"code"'):
        assert play(submit(), Reply(500, {}, body))[0].code == "http_500"
    assert play(submit(), Reply(200, {}, b"<html>"))[0].code == "bad_answer"


def test_a_long_wait_is_several_requests() -> None:
    job, sent, _ = play(conversation.get("a/1", 150, 10), reply(200, JOB), reply(200, JOB), reply(200, ENDED))
    assert play(submit(wait_s=100), reply(202, JOB), reply(200, ENDED))[0].final
    assert job.final
    assert [request.query for request in sent] == [{"wait": "60"}] * 3
    assert sent[0].path == "/v1/jobs/a%2F1"
    job, (sent_once,), _ = play(conversation.get("a1", None, 10), reply(200, JOB))
    assert sent_once.query == {}


def test_a_page() -> None:
    found, (sent,), _ = play(conversation.page({"status": "failed"}, 10), reply(200, {"jobs": [JOB, JOB], "next": "c"}))
    assert ([job.id for job in found[0]], found[1], sent.query) == (["a1", "a1"], "c", {"status": "failed"})


def test_a_view_of_a_failed_job() -> None:
    document = JOB | {
        "status": "failed",
        "error": {"code": "task_error", "message": "No."},
        "ended_at": "2026-01-31T12:00:00.500Z",
        "run_at": None,
    }
    job = JobView.of(document)
    assert job.error == JobError("task_error", "No.", None)
    assert job.ended_at is not None
    assert job.ended_at.isoformat() == "2026-01-31T12:00:00.500000+00:00"
    assert job.run_at is None
    assert job.final
