"""What waits, runs and ended in each queue, and which workers there are."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from api.drain import drain
from api.plain import Pipe, Plain, number, text
from millpond import keys


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's figures. `held`: how many of the queued their tasks' limits keep aside. `oldest_s`: how long its head has waited.
    `drain_per_s`: jobs ended per second in the last minute; `drain_now_per_s`: of late (`api.drain`)."""

    name: str
    queued: int
    held: int
    started: int
    scheduled: int
    failed: int
    paused: bool
    oldest_s: float | None
    drain_per_s: float
    drain_now_per_s: float


@dataclass(frozen=True, slots=True)
class Worker:
    """A registered worker. `alive`: its last heartbeat is at most 3.5 s old. `jobs`: how many it holds."""

    name: str
    queues: list[str]
    alive: bool
    state: str
    jobs: int
    hostname: str
    pid: int | None
    started_at: str
    finished_jobs: int
    failed_jobs: int
    working_s: float


async def names(plain: Plain) -> list[str]:
    """Every queue that ever held a job. Raises NotDone."""
    (known,) = await plain.read(lambda pipe: pipe.smembers(keys.RQ_QUEUES))
    return sorted(text(key).removeprefix(keys.PREFIXES["QUEUE"]) for key in _members(known))


async def queues(plain: Plain, more: Iterable[str] = ()) -> list[Queue]:
    """Every queue that ever held a job, is paused, or is among `more`, by name. Raises NotDone."""
    time, paused = await plain.read(lambda pipe: (pipe.time(), pipe.smembers(keys.PAUSED)))
    now_s = time[0] + time[1] / 1e6
    stopped = {text(name) for name in _members(paused)}
    listed = sorted({*await names(plain), *stopped, *more})
    rows = await _count(plain, listed)
    since = await _enqueued_s(plain, [text(row[7]) for row in rows])
    return [_queue(name, row, name in stopped, enqueued_s, now_s) for name, row, enqueued_s in zip(listed, rows, since, strict=True)]


def _queue(name: str, row: list[Any], paused: bool, enqueued_s: float | None, now_s: float) -> Queue:
    passing = drain(row[6], now_s)
    return Queue(
        name=name,
        queued=number(row[0]) + number(row[1]) + number(row[2]),
        held=number(row[2]),
        started=number(row[3]),
        scheduled=number(row[4]),
        failed=number(row[5]),
        paused=paused,
        oldest_s=None if enqueued_s is None else round(max(0.0, now_s - enqueued_s), 3),
        drain_per_s=round(passing.per_s, 3),
        drain_now_per_s=round(passing.now_per_s, 3),
    )


async def _count(plain: Plain, listed: list[str]) -> list[list[Any]]:
    def ask(pipe: Pipe) -> None:
        for name in listed:
            pipe.llen(keys.queue(name))
            pipe.llen(keys.named("ALONE", name))
            pipe.zcard(keys.named("ASIDE", name))
            pipe.zcard(keys.named("WIP", name))
            pipe.zcard(keys.named("SCHEDULED", name))
            pipe.zcard(keys.named("FAILED", name))
            pipe.hgetall(keys.named("DRAINED", name))
            pipe.lindex(keys.queue(name), 0)

    replies = await plain.read(ask) if listed else []
    return [replies[at : at + 8] for at in range(0, len(replies), 8)]


async def _enqueued_s(plain: Plain, heads: list[str]) -> list[float | None]:
    asked = [id for id in heads if id]
    replies = await plain.read(lambda pipe: [pipe.hget(keys.job(id), "enqueued_ms") for id in asked]) if asked else []
    found = {id: int(text(reply)) / 1000 for id, reply in zip(asked, replies, strict=True) if text(reply).isdecimal()}
    return [found.get(id) for id in heads]


def _members(reply: Any) -> Iterable[bytes]:
    return reply if isinstance(reply, set | list) else ()


async def workers(plain: Plain) -> list[Worker]:
    """Every worker that registered and did not leave, by name. Raises NotDone."""
    (listed,) = await plain.read(lambda pipe: pipe.hgetall(keys.WORKERS))
    by_name = {text(name): text(served) for name, served in sorted(listed.items())} if isinstance(listed, dict) else {}

    def ask(pipe: Pipe) -> None:
        for name in by_name:
            pipe.hgetall(keys.named("RQ_WORKER", name))
            pipe.exists(keys.named("ALIVE", name))
            pipe.hkeys(keys.named("GENERATIONS", name))

    replies = await plain.read(ask) if by_name else []
    held = await _held(plain, {name: _members(reply) for name, reply in zip(by_name, replies[2::3], strict=True)})
    return [
        _worker(name, served, display, alive, held[name])
        for (name, served), display, alive in zip(by_name.items(), replies[::3], replies[1::3], strict=True)
    ]


async def _held(plain: Plain, generations: Mapping[str, Iterable[bytes]]) -> dict[str, int]:
    """How many executions each worker's generations hold."""
    leases = [(name, f"{name}:{text(generation)}") for name, of_worker in generations.items() for generation in of_worker]
    replies = await plain.read(lambda pipe: [pipe.hlen(keys.named("LEASES", lease)) for _, lease in leases]) if leases else []
    held = dict.fromkeys(generations, 0)
    for (name, _), reply in zip(leases, replies, strict=True):
        held[name] += number(reply)
    return held


def _worker(name: str, served: str, display: Any, alive: Any, jobs: int) -> Worker:
    shown = {text(field): text(value) for field, value in display.items()} if isinstance(display, dict) else {}
    pid = shown.get("pid", "")
    return Worker(
        name=name,
        queues=[one for one in served.split(",") if one],
        alive=bool(number(alive)),
        state=shown.get("state", ""),
        jobs=jobs,
        hostname=shown.get("hostname", ""),
        pid=int(pid) if pid.isdecimal() else None,
        started_at=shown.get("birth", ""),
        finished_jobs=_whole(shown.get("successful_job_count", "")),
        failed_jobs=_whole(shown.get("failed_job_count", "")),
        working_s=_decimal(shown.get("total_working_time", "")),
    )


def _whole(shown: str) -> int:
    return int(shown) if shown.isdecimal() else 0


def _decimal(shown: str) -> float:
    try:
        return float(shown)
    except ValueError:
        return 0.0


def public(rows: Iterable[Queue | Worker]) -> list[dict[str, Any]]:
    """As HTTP shows them."""
    return [asdict(row) for row in rows]
