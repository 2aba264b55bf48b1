"""Every move on Redis as a value: which script, which arguments, how to read its answer.

A `Call` does no input or output, so the API sends it over asyncio, the worker's child over its own connection, the collector
over a pool (`millpond.broker`). Times are milliseconds of Redis's clock unless a name says otherwise.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from millpond.scripts import Script, load

T = TypeVar("T")
Arg = bytes | str | int


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One script call: `args` are its ARGV, `read` turns the raw reply into a value."""

    script: Script
    args: Sequence[Arg]
    read: Callable[[Any], T]


def text(raw: Any) -> str:
    """A reply as text."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def pairs(flat: Sequence[bytes]) -> dict[str, bytes]:
    """A flat ``[field, value, ...]`` reply as a dict."""
    return {text(flat[i]): flat[i + 1] for i in range(0, len(flat), 2)}


# -- submit -----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submission:
    """A job on its way in. `fields` are hash fields beyond those that submit writes itself (scripts/submit.lua)."""

    id: str
    queue: str
    data: bytes  # RQ's payload: JSON [task, null, args, kwargs]
    fields: Mapping[str, Arg]  # task owner description timeout timeout_ms max_attempts ... tags
    run_at_ms: int = 0  # 0: now
    delay_ms: int = 0  # counted from Redis's now; wins over run_at_ms
    expires_in_ms: int = 0  # 0: never
    front: bool = False
    digest: bytes = b""  # 16 bytes of owner + Idempotency-Key, or empty
    body_digest: bytes = b""  # 16 bytes of the body, with `digest`


@dataclass(frozen=True, slots=True)
class Submitted:
    """`answer`: accepted | replayed | mismatch (the key came with another body) | error (detail: the broken key)."""

    answer: Literal["accepted", "replayed", "mismatch", "error"]
    id: str
    state: str
    created_ms: int
    detail: str = ""


def submit(submissions: Sequence[Submission], idempotency_h: int) -> Call[list[Submitted]]:
    """Accept many jobs in one write: hash, queue or schedule, open set, event. One answer per job, in order."""
    args: list[Arg] = [idempotency_h, len(submissions)]
    for one in submissions:
        flat = [item for pair in one.fields.items() for item in pair]
        args += [one.id, one.queue, one.data, one.run_at_ms, one.delay_ms, one.expires_in_ms, int(one.front)]
        args += [one.digest, one.body_digest, len(flat), *flat]
    return Call(load("submit"), args, lambda raw: [Submitted(text(a), text(i), text(s), int(c), text(d)) for a, i, s, c, d in raw])  # type: ignore[arg-type]


# -- the worker's parent ----------------------------------------------------------------------------------------------------


def register(worker: str, generation: int, queues: Sequence[str], display: Mapping[str, Arg]) -> Call[str]:
    """List the worker and make `generation` live. Answers ok, or retired (that generation was given up before)."""
    flat = [item for pair in display.items() for item in pair]
    return Call(load("register"), [worker, generation, ",".join(queues), *flat], text)


@dataclass(frozen=True, slots=True)
class Beat:
    """`answer`: ok | unknown (register again, with a new generation) | faded (the display hash is gone: register again).

    `alone`: jobs waiting in mp:alone of the worker's queues; `shutdown` is not told here but on RQ's command channel.
    """

    answer: Literal["ok", "unknown", "faded"]
    alone: int


def heartbeat(worker: str) -> Call[Beat]:
    """Say that the parent lives: beats + 1, liveness for 3.5 s, RQ's display for 15 s."""
    return Call(load("heartbeat"), [worker], lambda raw: Beat(text(raw[0]), int(raw[1])))  # type: ignore[arg-type]


# -- the worker's child -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased job. `hash` is the job's hash as claimed, without earlier outcomes."""

    id: str
    execution: str
    hash: dict[str, bytes] = field(repr=False)

    def number(self, name: str, default: int = 0) -> int:
        """A numeric hash field, or `default` where it is not set."""
        raw = self.hash.get(name)
        return int(raw) if raw else default


@dataclass(frozen=True, slots=True)
class Claim:
    """`answer`: ok | retired (this generation may never claim again) | not_alive (only wait)."""

    answer: Literal["ok", "retired", "not_alive"]
    jobs: list[Claimed]


def claim(worker: str, generation: int, slots: int, queues: Sequence[str], alone: bool = False) -> Call[Claim]:
    """Pop at most `slots` ids in queue order and lease them; with `alone`, from mp:alone only. Nothing got: joins mp:idle."""
    args: list[Arg] = [worker, generation, slots, int(alone), *queues]
    return Call(
        load("claim"),
        args,
        lambda raw: Claim(text(raw[0]), [Claimed(text(j[0]), text(j[1]), pairs(j[2])) for j in raw[1]]),  # type: ignore[arg-type]
    )


Held = tuple[str, str]  # (job id, execution id)


def start(worker: str, generation: int, items: Sequence[Held]) -> Call[list[str]]:
    """Mark executions as started: attempt + 1. Per item: go | no (no longer ours, or ended by the script)."""
    flat = [part for item in items for part in item]
    return Call(load("start"), [worker, generation, *flat], lambda raw: [text(one) for one in raw])


@dataclass(frozen=True, slots=True)
class Comparison:
    """What Redis holds for this child: `live` (may it claim), `idle` (other generations asleep on its queues),
    `held` {(job, execution): wish} with wish "", "cancel" or "stop" (None: cannot be told, so judge nothing), `waiting` ids in
    its queues."""

    live: bool
    idle: int
    held: dict[Held, str] | None
    waiting: int


def compare(worker: str, generation: int, queues: Sequence[str], alone: bool = False) -> Call[Comparison]:
    """Read, and only read, what this generation holds (rule 4)."""

    def read(raw: Any) -> Comparison:
        held = None if raw[2] is None else {(text(j), text(e)): text(w) for j, e, w in raw[2]}
        return Comparison(bool(int(raw[0])), int(raw[1]), held, int(raw[3]))

    return Call(load("compare"), [worker, generation, int(alone), *queues], read)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one execution ended.

    `status`: finished | failed | canceled | stopped. `code`: "" or the error's snake_case code. `body`: a JSON object text,
    {"result": ...} or {"error": {"code", "message", "traceback"}}, stored as it is. `charged`: counts as a failure (exceptions
    and timeouts). `retry_ms`: delay before another attempt if the script finds one is left, else -1. `ran`: the function was
    begun. `task`: set for an adopted job once its function name was read. `rq_result`: RQ's result payload (base64), adopted
    jobs only. `run_ms`: how long the function ran.
    """

    id: str
    execution: str
    status: Literal["finished", "failed", "canceled", "stopped"]
    code: str = ""
    body: bytes = b"{}"
    charged: bool = False
    retry_ms: int = -1
    ran: bool = True
    run_ms: int = 0
    task: str = ""
    rq_result: bytes = b""


def finish(worker: str, generation: int, outcomes: Sequence[Outcome]) -> Call[list[str]]:
    """End executions. Per item: done | dependents (done, and RQ dependents wait: Queue.enqueue_dependents) | stale (not this
    execution's job any more) | gone (the hash was deleted) | error:KEY (nothing written: send again)."""
    args: list[Arg] = [worker, generation]
    for one in outcomes:
        args += [one.id, one.execution, one.status, one.code, one.body, int(one.charged), one.retry_ms]
        args += [int(one.ran), one.run_ms, one.task, one.rq_result]
    return Call(load("finish"), args, lambda raw: [text(one) for one in raw])


HandBack = Literal["items", "retire", "unmarked", "leave"]


def hand_back(
    worker: str, generation: int, mode: HandBack, cause: Literal["", "died", "stopped"] = "", items: Sequence[Held] = ()
) -> Call[int]:
    """Give leases back, what was not started to the head of its queue, uncounted. Answers how many leases the generation still
    has (0 ends a paged call: at most 500 leases a call).

    items: the given executions, which a living child does not know or will not begin. retire: all of a dead (`died`) or killed
    (`stopped`) child, and the generation. unmarked: what has no start mark, and the generation (its loop hangs). leave: as
    retire with `stopped`, and the worker is unregistered.
    """
    flat = [part for item in items for part in item]
    return Call(load("hand_back"), [worker, generation, mode, cause, *flat], int)


# -- the keeper -------------------------------------------------------------------------------------------------------------


def tick() -> Call[list[str]]:
    """Count a tick and name the workers that are dead (rule 5)."""
    return Call(load("tick"), [], lambda raw: [text(one) for one in raw])


def take_back(worker: str, limit: int = 200) -> Call[int]:
    """Take at most `limit` leases of a dead worker; -1: it is not dead; 0: done and unregistered; else leases left."""
    return Call(load("take_back"), [worker, limit], int)


def promote(limit: int = 500) -> Call[int]:
    """Move what is due from the schedules to its queue; answers how many moved (equal to `limit`: call again)."""
    return Call(load("promote"), [limit], int)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`cursor` for the next call (0: a pass ended), how many ids were looked at, and {kind of repair: count}."""

    cursor: int
    seen: int
    repairs: dict[str, int]


def reconcile(cursor: int, count: int = 200, searches: int = 2) -> Call[Reconciled]:
    """Look whether open jobs are where they must be, and repair; `searches`: LPOS allowed (24 ms each at 1,000,000 ids)."""

    def read(raw: Any) -> Reconciled:
        repairs = pairs(raw[2])
        return Reconciled(int(raw[0]), int(raw[1]), {name: int(number) for name, number in repairs.items()})

    return Call(load("reconcile"), [cursor, count, searches], read)


@dataclass(frozen=True, slots=True)
class Committed:
    """What the database now holds of a job: the version read, and the outcome fields (``o:{run}:{attempt}``) read."""

    id: str
    version: int
    outcomes: Iterable[str] = ()


def recorded(items: Sequence[Committed], grace_ms: int = 60_000) -> Call[list[int]]:
    """After the commit: drop the outcomes that the database holds, and take final jobs out of the open set if they still have
    that version or are gone. Per item 1 (closed) or 0 (still open)."""
    args: list[Arg] = [grace_ms]
    for one in items:
        names = list(one.outcomes)
        args += [one.id, one.version, len(names), *names]
    return Call(load("recorded"), args, lambda raw: [int(one) for one in raw])


def forget(limit: int = 500, failed_keep: int = 1000) -> Call[int]:
    """Delete the hashes of recorded jobs whose grace is over; of failed ones all but the newest `failed_keep` a queue."""
    return Call(load("forget"), [limit, failed_keep], int)


# -- the API ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """`answer`: ok | wish (told to the running job) | conflict (state says which) | version (If-Match failed) | gone (no hash)
    | error. `state` and `version` are those after the move (or the present ones where nothing moved)."""

    answer: Literal["ok", "wish", "conflict", "version", "gone", "error"]
    state: str
    version: int


def _changed(raw: Any) -> Changed:
    return Changed(text(raw[0]), text(raw[1]), int(raw[2]))  # type: ignore[arg-type]


def cancel(id: str, version: int = 0) -> Call[Changed]:
    """Cancel at once what waits, leave a wish for what runs. `version` 0: any."""
    return Call(load("cancel"), [id, version], _changed)


def retry(id: str, version: int = 0, record: Submission | None = None, record_version: int = 0, record_run: int = 0) -> Call[Changed]:
    """A new run of a job that ended other than finished. With `record`, a forgotten job is made anew from its database row."""
    args: list[Arg] = [id, version]
    if record:
        flat = [item for pair in record.fields.items() for item in pair]
        args += [record_version, record_run, record.queue, record.data, len(flat), *flat]
    return Call(load("retry"), args, _changed)


def listen(id: str, channel: str = "") -> Call[tuple[bool, dict[str, bytes]]]:
    """Read a job: (is it in the open set, its hash or {}). With `channel`, finish will publish the id there when it ends."""
    return Call(load("listen"), [id, channel], lambda raw: (bool(int(raw[0])), pairs(raw[1])))


def pause(queue: str) -> Call[int]:
    """Stop claims from one queue; answers 1 if that changed anything."""
    return Call(load("pause"), [queue], int)


def resume(queue: str) -> Call[int]:
    """Allow claims from one queue again and wake who sleeps on it."""
    return Call(load("resume"), [queue], int)
