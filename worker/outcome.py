"""How an execution's end is told to the finish script: what was returned, raised, refused, or never came."""

from typing import Final, Literal

from millpond import codec, rq
from millpond.fields import Fields
from millpond.moves import Claimed, Outcome
from worker.call import End, Refused, clean
from worker.run import Run
from worker.stop import Stop

Status = Literal["finished", "failed", "canceled", "stopped", "expired"]

_STATUS: Final[dict[Stop, Status]] = {
    Stop.TIMEOUT: "failed",
    Stop.CANCELED: "canceled",
    Stop.STOPPED: "stopped",
    Stop.EXPIRED: "expired",
    Stop.LOST: "failed",
}


def refused(claimed: Claimed, code: str, message: str, task: str = "") -> Outcome:
    """A job that cannot be begun here: an unknown task, a payload that cannot be read."""
    return Outcome(claimed.id, claimed.execution, "failed", code, _error(code, message), ran=False, task=task)


def unbegun(claimed: Claimed, why: Stop) -> Outcome:
    """A job that was to end before it was begun."""
    return Outcome(claimed.id, claimed.execution, _STATUS[why], why.value, _error(why.value, f"It was {why} before it began."), ran=False)


def ended(run: Run, end: End) -> Outcome:
    """The function ended by itself. What it returned may still be no result; another attempt would return the same, so none is
    made. Whatever it raised is its own failure, unless it was told to end."""
    if isinstance(end, bytes):
        return _ended(run, "finished", "", b'{"result":' + end + b"}", rq.return_value(end) if run.adopted else b"")
    if isinstance(end, Refused):
        return _ended(run, "failed", end.code, _error(end.code, end.detail), b"")
    if run.stop:
        return stopped(run, end.trace)
    return _failed(run, "task_error", end.message, end.trace, end.again)


def stopped(run: Run, trace: str = "") -> Outcome:
    """The function was told to end, and did, or did not within its time (then without a trace)."""
    if run.stop is Stop.TIMEOUT:
        return _failed(run, "timeout", f"It ran longer than {run.timeout_s:g} s.", trace, run.task.retries(TimeoutError()))
    stop = run.stop or Stop.LOST
    return _ended(run, _STATUS[stop], stop.value, _error(stop.value, f"It was {stop} while it ran.", trace), _rq_trace(run, trace))


def is_tried_again(run: Run, how: Outcome) -> bool:
    """Whether another attempt follows (scripts/finish.lua `again`)."""
    left = run.adopted or run.failures + 1 < Fields(run.claimed.hash).integer("max_attempts", 1)
    return bool(left) and how.charged and how.retry_ms >= 0 and run.claimed.hash.get("rerun") != b"never"


def _failed(run: Run, code: str, message: str, trace: str, again: bool) -> Outcome:
    """A failure that counts; `again`: another attempt may mend it."""
    end = _ended(run, "failed", code, _error(code, message, trace), _rq_trace(run, trace))
    return end._replace(charged=True, retry_ms=run.retry_ms() if again else -1)


def _ended(run: Run, status: Status, code: str, body: bytes, rq_result: bytes) -> Outcome:
    task = run.task.name if run.adopted else ""
    return Outcome(*run.key, status, code, body, run_ms=run.run_ms, task=task, rq_result=rq_result)


def _rq_trace(run: Run, trace: str) -> bytes:
    return rq.exc_string(trace) if run.adopted else b""


def _error(code: str, message: str, trace: str = "") -> bytes:
    return codec.render({"error": {"code": code, "message": clean(message), "traceback": clean(trace)}})
