"""The counters of batches in Redis, by calls that may be sent again whatever became of them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, TypeVar

from api import idempotency
from api.intake import OWNER
from api.lane import Lane
from api.limits import Pressure
from api.link import Link
from api.problems import Throttled
from api.submitter import Acks
from millpond import moves
from millpond.errors import NotReplicated, RedisFull, Unavailable
from millpond.metrics import REDIS_SECONDS
from millpond.moves import Call

T = TypeVar("T")

PATIENCE_S: Final = 5.0  # a client that uploads for minutes should not begin anew for a Redis that restarts
_PAUSE_S: Final = 0.1
_DRAWS: Final = 3  # of a new id; that one is taken means that our own first call was done, and its answer lost


class Ledger:
    """Begins batches and moves their counters, on a connection of their own: an append is ten times longer than other calls."""

    def __init__(self, redis_url: str, idempotency_h: int, keep_days: int, acks: Acks, pressure: Pressure) -> None:
        self._lane: Lane[Call[Any], Any] = Lane(redis_url, self._exchange, 1)
        self._idempotency_h = idempotency_h
        self._keep_s = keep_days * 86_400
        self._acks = acks
        self._pressure = pressure

    async def begin(self, key: str | None) -> moves.Begun:
        """The batch of this Idempotency-Key, begun before, or a new one. Raises Throttled, or NotDone or OutcomeUnknown after
        PATIENCE_S."""
        digest = b"" if key is None else idempotency.digests(OWNER, key, None)[0]
        for _ in range(_DRAWS):
            begun = await self._settled(moves.begin(moves.new_batch_id(), digest, self._idempotency_h, self._keep_s))
            if begun.answer in ("begun", "known"):
                return begun
        raise Unavailable(f"Redis holds something else under {begun.detail}.", code="broken_key")

    async def append(self, id: str, lines: moves.Lines) -> moves.Appended:
        """Move a batch's counter. Raises as `begin`."""
        return await self._settled(moves.append(id, lines, self._pressure.limits))

    async def refusal(self, appended: moves.Appended) -> Throttled:
        """What a client is told whose lines a limit refused."""
        return await self._pressure.refusal(appended.detail, appended.owner, appended.queue)

    async def _settled(self, call: Call[T]) -> T:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                answer: T = await self._lane.ask(call)
                return answer
            except RedisFull:
                raise await self._pressure.refusal("redis-memory", OWNER, "") from None
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def _exchange(self, link: Link, batch: Sequence[Call[Any]]) -> list[Any]:
        with REDIS_SECONDS.labels(batch[0].script.name).time():
            answer, *replies = await link.exchange(batch, self._acks.commands())
        if not self._acks.kept(replies):
            raise NotReplicated
        return [answer]

    async def close(self) -> None:
        """Let what was asked end, then disconnect."""
        await self._lane.close()
