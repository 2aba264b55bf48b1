"""Totals over all that Redis holds, for GET /v1/stats and for what a refused client is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api import queues
from api.drain import Drain, drain
from api.plain import Pipe, Plain, number, text
from api.queues import Queue
from millpond import keys


@dataclass(frozen=True, slots=True)
class Memory:
    """Redis's memory in bytes, without what maxmemory does not count (buffers of replicas and of the append-only file); `most` 0: no
    limit."""

    used: int
    most: int


@dataclass(frozen=True, slots=True)
class Figures:
    """`open`: jobs accepted and not yet recorded as ended; `owners` the same by owner. `bytes`: of the arguments of open jobs, by
    queue."""

    queues: Sequence[Queue]
    open: int
    owners: dict[str, int]
    bytes: dict[str, int]
    accepted: Drain
    memory: Memory

    def queue(self, name: str) -> Queue | None:
        """One queue's figures."""
        return next((one for one in self.queues if one.name == name), None)

    @property
    def ended_now_per_s(self) -> float:
        """How many jobs end per second of late, in all queues."""
        return sum(one.drain_now_per_s for one in self.queues)


async def read(plain: Plain) -> Figures:
    """The figures as they are now. Raises NotDone."""

    def ask(pipe: Pipe) -> None:
        pipe.time()
        pipe.scard(keys.OPEN)
        pipe.hgetall(keys.OWNERS)
        pipe.hgetall(keys.BYTES)
        pipe.hgetall(keys.ACCEPTED)
        pipe.info("memory")

    rows = await queues.queues(plain)
    time, open_, owners, weights, accepted, memory = await plain.read(ask)
    now_s = time[0] + time[1] / 1e6
    return Figures(rows, number(open_), _counts(owners), _counts(weights), drain(accepted, now_s), _memory(memory))


def _counts(reply: Any) -> dict[str, int]:
    pairs = reply.items() if isinstance(reply, dict) else ()
    return {text(name): int(text(count)) for name, count in pairs if text(count).isdecimal()}


def _memory(told: Any) -> Memory:
    if not isinstance(told, dict):
        return Memory(0, 0)  # INFO is forbidden to us
    return Memory(number(told.get("used_memory")) - number(told.get("mem_not_counted_for_evict")), number(told.get("maxmemory")))
