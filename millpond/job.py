"""One job and its attempts: the form that API, worker, collector and store share, made from a Redis hash or a database row."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
import uuid_utils

from millpond import codec, gate, joblog
from millpond.attempt import Attempt, attempts_from_hash, outcome
from millpond.catalogue import Entry
from millpond.errors import Conflict, Undecodable
from millpond.fields import Fields
from millpond.joblog import Piece
from millpond.moves import Arg, Submission
from millpond.retry import RetryPolicy
from millpond.states import FINAL, MOVES, RQ_STATUS, State, allowed, drawing
from millpond.task import DEFAULT_TIMEOUT_S, QUEUE_NAME
from millpond.times import rfc3339, to_ms, to_rq

__all__ = [
    "FINAL",
    "MOVES",
    "QUEUE_NAME",
    "RQ_STATUS",
    "Attempt",
    "Job",
    "Overrides",
    "RetryPolicy",
    "State",
    "allowed",
    "attempts_from_hash",
    "drawing",
    "new_id",
    "submission_fields",
    "timeout_s",
    "to_submission",
]

Hash = Mapping[str, bytes]
NOTHING: Final[Mapping[str, Any]] = {}


def new_id() -> str:
    """A job id: a UUIDv7 in 32 hex digits, so that ids sort by time."""
    return uuid_utils.uuid7().hex


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job as it stands. Times are aware UTC, durations seconds. `run` counts from 1 and grows with each retry call; `attempt`
    counts the starts in this run. `result_json`: the result's JSON text, None while there is none. `args` is None where the
    payload could not be read. `timeout_s` None: no limit. `log`: what Redis holds of what its attempts said; the record has that with
    each attempt."""

    id: str
    owner: str = "public"
    task: str | None = None
    queue: str | None = None
    status: str
    reason: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    version: int = 1
    run: int = 1
    attempt: int = 0
    failures: int = 0
    deaths: int = 0
    crashes: int = 0
    max_attempts: int | None = None
    rerun: str = "always"
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    result_json: bytes | None = None
    timeout_s: float | None = None
    retry: RetryPolicy | None = None
    worker: str | None = None
    progress: Any = None
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    run_at: datetime | None = None
    expires_at: datetime | None = None
    log: tuple[Piece, ...] = field(default=(), repr=False, compare=False)

    @property
    def final(self) -> bool:
        """Whether it ended."""
        return self.status in FINAL

    @property
    def result(self) -> Any:
        """The result as a value."""
        return None if self.result_json is None else orjson.loads(self.result_json)

    def public(self) -> dict[str, Any]:
        """The job as HTTP shows it, for `codec.render` (the result goes in as the text it is)."""
        error = {"code": self.error_code, "message": self.error_message, "traceback": self.error_traceback}
        return {
            **{name: getattr(self, name) for name in _SHOWN},
            **{name: rfc3339(getattr(self, name)) for name in _MOMENTS},
            "result": None if self.result_json is None else codec.Raw(self.result_json),
            "error": None if self.error_code is None else error,
        }

    @classmethod
    def from_hash(cls, id: str, hash: Hash) -> "Job":
        """Read rq:job:{id}, ours or one that stock RQ put. Raises Undecodable for what neither writes; a payload that cannot be
        read is no such fault (args and kwargs are None): the job has a state, and an outcome that says `undecodable`."""
        fields = Fields(hash)
        state, reason = _state(fields)
        task, args, kwargs = _payload(hash)
        last = outcome(id, hash, fields.text("last")) if state in FINAL else None
        code = fields.text("error_code") if state is State.FAILED else None
        policy = RetryPolicy.from_hash(hash)
        counts: dict[str, Any] = {name: fields.integer(name) for name in _COUNTS}
        moments: dict[str, Any] = {name: fields.moment(ours, rqs) for name, (ours, rqs) in _MOMENT_FIELDS.items()}
        return cls(
            id=id,
            owner=fields.text("owner") or "public",
            task=fields.text("task") or task,
            queue=fields.text("origin"),
            status=state.value,
            reason=reason,
            error_code=code,
            error_message=last.error_message if code and last else None,
            error_traceback=last.error_traceback if code and last else None,
            run=fields.integer("run", 1),
            max_attempts=policy.max_attempts,
            rerun=fields.text("rerun") or "always",
            args=args,
            kwargs=kwargs,
            tags=fields.mapping("tags"),
            result_json=last.result_json if last and state is State.FINISHED else None,
            timeout_s=timeout_s(hash),
            retry=policy,
            worker=fields.text("worker_name"),
            progress=fields.json("progress"),
            log=joblog.pieces(hash),
            **counts,
            **moments,
        )


_SHOWN: Final = (
    *("id", "task", "queue", "status", "reason", "attempt", "failures", "max_attempts", "run", "version"),
    *("args", "kwargs", "tags", "owner", "timeout_s", "worker", "progress"),
)
_COUNTS: Final = ("version", "attempt", "failures", "deaths", "crashes")
_MOMENTS: Final = ("created_at", "enqueued_at", "started_at", "ended_at", "recorded_at", "run_at", "expires_at")
_MOMENT_FIELDS: Final = {
    "created_at": ("created_ms", "created_at"),
    "enqueued_at": ("enqueued_ms", "enqueued_at"),
    "started_at": ("", "started_at"),
    "ended_at": ("", "ended_at"),
    "run_at": ("run_at_ms", ""),
    "expires_at": ("expires_ms", ""),
}


def timeout_s(hash: Hash) -> float | None:
    """How long one attempt may run; None: no limit, for which stock RQ's producers write -1."""
    fields = Fields(hash)
    seconds = fields.seconds("timeout_ms", fields.integer("timeout", round(DEFAULT_TIMEOUT_S)))
    return seconds if seconds > 0 else None


def _state(fields: Fields) -> tuple[State, str | None]:
    """Our state, unless one of RQ's tools moved the job since (as scripts/common/job.lua `heed` will), and the reason."""
    word, status = fields.text("state"), fields.text("status")
    if word is None:
        return _adopted_state(status)
    try:
        state = State(word)
    except ValueError as error:
        raise Undecodable(f"There is no state {word!r}.") from error
    if state in (State.QUEUED, State.SCHEDULED) and status in ("canceled", "stopped"):
        return State(status), "by_rq"
    if status == "queued" and state is not State.STARTED:
        state = State.QUEUED
    if state is State.QUEUED:
        return state, "held" if word == state and fields.text("place") == "held" else None
    return state, fields.text("reason")


def _adopted_state(status: str | None) -> tuple[State, str | None]:
    # Words of RQ's alone (rq 3.0: job.py `JobStatus`) are all ways to wait for something.
    if status in ("created", "deferred", "rate_limited", "ready_to_enqueue"):
        return State.SCHEDULED, status
    try:
        return State(status), None  # type: ignore[arg-type]
    except ValueError as error:
        raise Undecodable(f"There is no status {status!r}.") from error


def _payload(hash: Hash) -> tuple[str | None, list[Any] | None, dict[str, Any] | None]:
    try:
        return codec.decode_payload(hash.get("data", b""))
    except Undecodable:
        return None, None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a submission says about how its job runs; None: as its task says."""

    owner: str = "public"
    timeout_s: float | None = None
    max_attempts: int | None = None
    backoff_s: float | None = None
    backoff_factor: float | None = None
    max_backoff_s: float | None = None
    jitter: float | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def submission_fields(entry: Entry, overrides: Overrides, args: Sequence[Any] = (), kwargs: Mapping[str, Any] = NOTHING) -> dict[str, Arg]:
    """`fields` of a `millpond.moves.Submission` for a task of the catalogue; the arguments tell which gate it has."""

    def pick(name: str) -> Any:
        given = getattr(overrides, name)
        return getattr(entry, name) if given is None else given

    policy = RetryPolicy(**{name: pick(name) for name in RetryPolicy.__slots__})
    fields = _fields(entry.name, overrides.owner, pick("timeout_s"), policy, entry.rerun, overrides.tags)
    return fields | _gate(entry, args, kwargs, overrides.tags)


def _gate(entry: Entry, args: Sequence[Any], kwargs: Mapping[str, Any], tags: Mapping[str, str]) -> dict[str, Arg]:
    text = gate.field(entry, args, kwargs, tags)
    return {"gate": text} if text else {}


def to_submission(job: Job, entry: Entry | None = None) -> Submission:
    """A recorded job as it would be submitted again: for a new run after its hash was forgotten. `entry`: its task now, whose limits it
    obeys. Raises Conflict where its payload was never readable."""
    if job.task is None or job.queue is None or job.args is None or job.kwargs is None:
        raise Conflict("The record holds no readable payload, so there is nothing to run again.", code="nothing_to_retry")
    fields = _fields(job.task, job.owner, job.timeout_s, job.retry or RetryPolicy(), job.rerun, job.tags)
    if entry:
        fields |= _gate(entry, job.args, job.kwargs, job.tags)
    if job.created_at:  # the job is as old as it is; fields go over what the script writes
        fields |= {"created_ms": to_ms(job.created_at), "created_at": to_rq(job.created_at)}
    return Submission(id=job.id, queue=job.queue, data=codec.encode_payload(job.task, job.args, job.kwargs), fields=fields)


def _fields(task: str, owner: str, timeout_s: float | None, policy: RetryPolicy, rerun: str, tags: Mapping[str, str]) -> dict[str, Arg]:
    """Only what differs from what an absent field means; `description` is what RQ's tools show, so it holds no arguments."""
    timeout = -1 if timeout_s is None else math.ceil(timeout_s)
    fields: dict[str, Arg] = {"description": task, "timeout": timeout}
    if timeout_s is not None and timeout != timeout_s:
        fields["timeout_ms"] = round(timeout_s * 1000)
    if owner != "public":
        fields["owner"] = owner
    if rerun != "always":
        fields["rerun"] = rerun
    if tags:
        fields["tags"] = codec.encode(dict(tags))
    return fields | policy.to_fields()
