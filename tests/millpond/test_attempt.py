"""Every outcome field of a hash becomes an attempt, in RQ's and our words."""

from typing import Any

import orjson
import pytest

from millpond.attempt import Attempt, attempts_from_hash, outcome
from millpond.errors import Undecodable
from millpond.times import from_ms

FAILED: dict[str, Any] = {
    "status": "failed",
    "code": "task_error",
    "worker": "w",
    "execution": "7",
    "started_ms": 1000,
    "ended_ms": 2500,
    "body": {"error": {"code": "task_error", "message": "No.", "traceback": "Traceback"}},
}
DONE = FAILED | {"status": "finished", "code": "", "body": {"result": [1.0, None]}}


def test_all_outcomes_are_read() -> None:
    hash = {"state": b"finished", "o:1:1": orjson.dumps(FAILED), "o:2:10": orjson.dumps(DONE), "origin": b"default"}
    first, second = sorted(attempts_from_hash("a", hash), key=lambda attempt: attempt.run)
    assert first == Attempt(
        job_id="a",
        run=1,
        attempt=1,
        status="failed",
        error_code="task_error",
        error_message="No.",
        error_traceback="Traceback",
        worker="w",
        execution="7",
        started_at=from_ms(1000),
        ended_at=from_ms(2500),
    )
    assert (second.run, second.attempt, second.status, second.error_code, second.result_json) == (2, 10, "finished", None, b"[1.0,null]")


def test_one_outcome() -> None:
    hash = {"o:1:1": orjson.dumps(DONE)}
    found = outcome("a", hash, "o:1:1")
    assert found is not None
    assert found.result_json == b"[1.0,null]"
    assert outcome("a", hash, "o:1:2") is outcome("a", hash, None) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"null",
        orjson.dumps(DONE | {"body": []}),
        orjson.dumps(DONE | {"ended_ms": "soon"}),
        orjson.dumps(DONE | {"ended_ms": 10**18}),
    ],
)
def test_what_is_no_outcome(raw: bytes) -> None:
    with pytest.raises(Undecodable, match="o:1:1"):
        attempts_from_hash("a", {"o:1:1": raw})
    with pytest.raises(Undecodable, match="o:1"):
        attempts_from_hash("a", {"o:1": orjson.dumps(DONE)})
