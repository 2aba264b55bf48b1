"""What a worker's child does with jobs, from claim to finish."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from millpond.codec import render
from millpond.moves.call import Arg, Call, pairs, text
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


def report(items: Sequence[tuple[Held, bytes]]) -> Call[list[bool]]:
    """Show the progress of running executions, a JSON text each. Per item whether it is still that execution's job."""
    flat = [part for held, progress in items for part in (*held, progress)]
    return Call(load("report"), flat, lambda raw: [bool(one) for one in raw])


class Outcome(NamedTuple):
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
