"""The counters of batches in Redis, by calls that may be sent again whatever became of them."""

import asyncio
from typing import Final, TypeVar

from api import idempotency
from api.calls import Writes
from millpond import moves
from millpond.errors import Unavailable
from millpond.moves import Call

T = TypeVar("T")

PATIENCE_S: Final = 5.0  # a client that uploads for minutes should not begin anew for a Redis that restarts
_PAUSE_S: Final = 0.1
_DRAWS: Final = 3  # of a new id; that one is taken means that our own first call was done, and its answer lost


class Ledger:
    """Begins batches and moves their counters, on a connection of their own: an append is ten times longer than other calls."""

    def __init__(self, redis_url: str, idempotency_h: int, keep_days: int) -> None:
        self._writes = Writes(redis_url)
        self._idempotency_h = idempotency_h
        self._keep_s = keep_days * 86_400

    async def begin(self, digest: bytes) -> moves.Begun:
        """The batch of this digest of an Idempotency-Key (empty: none), new or begun before. Raises NotDone or OutcomeUnknown."""
        for _ in range(_DRAWS):
            begun = await self._settled(moves.begin(moves.new_batch_id(), digest, self._idempotency_h, self._keep_s))
            if begun.answer in ("begun", "known"):
                return begun
        raise Unavailable(f"Redis holds something else under {begun.detail}.", code="broken_key")

    async def append(self, id: str, lines: moves.Lines) -> moves.Appended:
        """Move a batch's counter. Raises NotDone or OutcomeUnknown after PATIENCE_S."""
        return await self._settled(moves.append(id, lines))

    async def _settled(self, call: Call[T]) -> T:
        deadline = asyncio.get_running_loop().time() + PATIENCE_S
        while True:
            try:
                return await self._writes.run(call)
            except Unavailable:
                if asyncio.get_running_loop().time() >= deadline:
                    raise
            await asyncio.sleep(_PAUSE_S)

    async def close(self) -> None:
        """Let what was asked end, then disconnect."""
        await self._writes.close()


def digest_of(owner: str, key: str | None) -> bytes:
    """The digest that stands for an owner's Idempotency-Key; empty for none."""
    return b"" if key is None else idempotency.digests(owner, key, None)[0]
