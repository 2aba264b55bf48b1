"""What a worker's child does with jobs, from claim to finish."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from millpond.codec import render
from millpond.moves.call import Arg, Call, text
from millpond.scripts import load


class Claimed(NamedTuple):
    """A leased job. `hash`: what its worker needs of the job's hash, without earlier outcomes."""

    id: str
    execution: str
    hash: dict[str, bytes]

    def __repr__(self) -> str:
        return f"Claimed({self.id!r}, {self.execution!r})"  # the hash holds users' data

    def number(self, name: str, default: int = 0) -> int:
        """A numeric hash field, or `default` where it is not set."""
        raw = self.hash.get(name)
        return int(raw) if raw else default


@dataclass(frozen=True, slots=True)
class Claim:
    """`answer`: ok | retired (this generation may never claim again) | not_alive (only wait). `back_in_ms`: after how long to claim
    again, because a gate opens then; None: not before something wakes."""

    answer: Literal["ok", "retired", "not_alive"]
    jobs: list[Claimed]
    back_in_ms: int | None = None


def claim(
    worker: str, generation: int, free: int, queues: Sequence[str], alone: bool = False, fair: bool = False, ahead: int = 0
) -> Call[Claim]:
    """Pop ids for `free` slots, and at most `ahead` more unless another generation is in mp:idle, in queue order, and lease them; with
    `alone`, from mp:alone only. A slot stays free: joins mp:idle. A `fair` claim begins with the queue whose head has waited longest, if
    that is over half a second."""
    way = "alone" if alone else "fair" if fair else ""
    return Call(load("claim"), [worker, generation, free, ahead, way, *queues], _claim)


def _claim(raw: Any) -> Claim:
    if len(raw) == 1:
        return Claim(text(raw[0]), [])  # type: ignore[arg-type]
    answer, names, rows, back_in = raw
    names = [text(name) for name in names]
    claimed = [_claimed(names, row) for row in rows]
    return Claim(text(answer), claimed, back_in if back_in >= 0 else None)  # type: ignore[arg-type]


def _claimed(names: Sequence[str], row: Sequence[bytes | None]) -> Claimed:
    id, execution, *values = row
    # A row ends before the columns that only later ones needed.
    hash = {name: value for name, value in zip(names, values, strict=False) if value is not None}
    return Claimed(text(id), text(execution), hash)


Held = tuple[str, str]  # (job id, execution id)


def start(worker: str, generation: int, items: Sequence[Held]) -> Call[list[str]]:
    """Mark executions as started: attempt + 1. Per item: go | no (no longer ours, or ended by the script)."""
    flat = [part for item in items for part in item]
    return Call(load("start"), [worker, generation, *flat], lambda raw: [text(one) for one in raw])


def display(worker: str, items: Sequence[Held]) -> Call[None]:
    """Show executions to RQ's tools as stock RQ does (rq 3.0: ``executions.Execution``); those that ended are left out."""
    return Call(load("display"), [worker, *(part for item in items for part in item)], lambda raw: None)


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
class Report:
    """What an execution says: how far it is (a JSON text), lines for its log (rows in the field `piece`: `millpond.joblog`), or both."""

    id: str
    execution: str
    progress: bytes = b""
    piece: str = ""
    rows: bytes = b""


def report(items: Sequence[Report]) -> Call[list[bool]]:
    """Show what running executions say. Per item whether it is still that execution's job; it may be said again."""
    flat = [part for one in items for part in (one.id, one.execution, one.progress, one.piece, one.rows)]
    return Call(load("report"), flat, lambda raw: [bool(one) for one in raw])


class Outcome(NamedTuple):
    """How one execution ended.

    `status`: finished | failed | canceled | stopped | expired. `code`: "" or the error's snake_case code. `body`: a JSON object text,
    {"result": ...} or {"error": {"code", "message", "traceback"}}, stored as it is. `charged`: counts as a failure (exceptions
    and timeouts). `retry_ms`: delay before another attempt if the script finds one is left, else -1. `ran`: the function was
    begun. `task`: set for an adopted job once its function name was read. `rq_result`: RQ's result payload (base64), adopted
    jobs only. `run_ms`: how long the function ran.
    """

    id: str
    execution: str
    status: Literal["finished", "failed", "canceled", "stopped", "expired"]
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
        args += (one.id, one.execution, one.run_ms, one.body, _details(one))
    return Call(load("finish"), args, lambda raw: [text(one) for one in raw])


def _details(one: Outcome) -> bytes:
    """What is not as it is where a function returned, as JSON; empty: nothing."""
    if one.status == "finished" and one.ran and not (one.code or one.charged or one.task or one.rq_result) and one.retry_ms < 0:
        return b""
    names = ("status", "code", "charged", "retry_ms", "ran", "task")
    return render({**{name: getattr(one, name) for name in names}, "rq_result": one.rq_result.decode()})


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


@dataclass(frozen=True, slots=True)
class Death:
    """The process that ran an execution ended by itself, and its child lives. `how`: a signal's name or an exit status. `alone`:
    nothing else ran in it, so that this death is the job's own crash (rule 6)."""

    id: str
    execution: str
    how: str
    alone: bool


def bury(worker: str, generation: int, deaths: Sequence[Death]) -> Call[int]:
    """Give the leases of dead executions back, each counted as a death; answers how many leases the generation still has."""
    flat = [part for one in deaths for part in (one.id, one.execution, int(one.alone), one.how)]
    return Call(load("hand_back"), [worker, generation, "bury", "", *flat], int)
