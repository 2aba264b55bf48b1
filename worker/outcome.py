"""How an execution's end is told to the finish script: what was returned, raised, refused, or never came."""

import traceback
from typing import Final, Literal

from millpond import codec, rq
from millpond.errors import Invalid
from millpond.moves import Claimed, Outcome
from worker.run import Run, clean
from worker.stop import Stop

MAX_MESSAGE: Final = 2_000  # characters; an exception may carry a whole document
MAX_TRACEBACK: Final = 16_000  # characters, of its end, where the cause is

Status = Literal["finished", "failed", "canceled", "stopped"]

_STATUS: Final[dict[Stop, Status]] = {
    Stop.TIMEOUT: "failed",
    Stop.CANCELED: "canceled",
    Stop.STOPPED: "stopped",
    Stop.LOST: "failed",
}


def refused(claimed: Claimed, code: str, message: str, task: str = "") -> Outcome:
    """A job that cannot be begun here: an unknown task, a payload that cannot be read."""
    return Outcome(claimed.id, claimed.execution, "failed", code, _error(code, message), ran=False, task=task)


def unbegun(claimed: Claimed, why: Stop) -> Outcome:
    """A job that was to end before it was begun."""
    return Outcome(claimed.id, claimed.execution, _STATUS[why], why.value, _error(why.value, f"It was {why} before it began."), ran=False)


def returned(run: Run, value: object, limit: int) -> Outcome:
    """The function returned. What it returned may still be no result; another attempt would return the same, so none is made."""
    try:
        result = codec.encode_result(value, limit)
    except Invalid as error:
        return _ended(run, "failed", error.code, _error(error.code, error.detail), b"")
    return _ended(run, "finished", "", b'{"result":' + result + b"}", rq.return_value(result) if run.adopted else b"")


def raised(run: Run, error: BaseException) -> Outcome:
    """The function raised. Whatever it raised is its own failure, SystemExit and MemoryError too: no job ends a worker."""
    if run.stop:
        return stopped(run, _trace_of(error))
    return _failed(run, "task_error", f"{type(error).__name__}: {_text_of(error)}", _trace_of(error))


def stopped(run: Run, trace: str = "") -> Outcome:
    """The function was told to end, and did, or did not within its time (then without a trace)."""
    if run.stop is Stop.TIMEOUT:
        return _failed(run, "timeout", f"It ran longer than {run.timeout_s:g} s.", trace)
    stop = run.stop or Stop.LOST
    return _ended(run, _STATUS[stop], stop.value, _error(stop.value, f"It was {stop} while it ran.", trace), _rq_trace(run, trace))


def _failed(run: Run, code: str, message: str, trace: str) -> Outcome:
    """A failure that counts, and that another attempt may mend."""
    end = _ended(run, "failed", code, _error(code, message, trace), _rq_trace(run, trace))
    return end._replace(charged=True, retry_ms=run.retry_ms())


def _ended(run: Run, status: Status, code: str, body: bytes, rq_result: bytes) -> Outcome:
    task = run.task.name if run.adopted else ""
    return Outcome(*run.key, status, code, body, run_ms=run.run_ms, task=task, rq_result=rq_result)


def _rq_trace(run: Run, trace: str) -> bytes:
    return rq.exc_string(trace) if run.adopted else b""


def _error(code: str, message: str, trace: str = "") -> bytes:
    return codec.render({"error": {"code": code, "message": clean(message[:MAX_MESSAGE]), "traceback": clean(trace[-MAX_TRACEBACK:])}})


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # a user's __str__ may do anything
        return f"(its text raised {type(second).__name__})"


def _trace_of(error: BaseException) -> str:
    try:
        own = error.__traceback__.tb_next if error.__traceback__ else None  # without the pool's own frame
        return "".join(traceback.format_exception(type(error), error, own, limit=-20))
    except BaseException as second:
        return f"(its traceback raised {type(second).__name__})"
