"""A lane to Redis: what waits when the last answer comes back leaves together (group commit).

A request that finds the lane free leaves at once, alone; under load the batches grow by themselves and no timer is needed. One
lane is one connection. Each request is answered within about `DEADLINE_S`, whatever Redis does, and told apart as rule 9 does:
still waiting here means not done, sent and unanswered means unknown.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from millpond.errors import NotDone, OutcomeUnknown

Item = TypeVar("Item")
Answer = TypeVar("Answer")

DEADLINE_S = 1.0  # from arrival to an answer; longer holds clients up for a Redis that is not there
WAITING_BYTES = 64 << 20  # more than this waiting: refuse, or a stalled Redis fills our memory
BATCH_BYTES = 4 << 20  # a script call of this size holds Redis for some 10 ms; twice that is felt by workers
_LOOK_S = 0.1  # how often waiting requests are looked at for their deadline
_AGAIN_S = (0.02, 0.05, 0.1, 0.2)  # pauses before a refused batch is sent again


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Answer]):
    item: Item
    size: int
    due: float
    answer: "asyncio.Future[Answer]"

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Lane(Generic[Item, Answer]):
    """`exchange` sends a batch of at most `cap` items and returns their answers in order; it raises NotDone or OutcomeUnknown."""

    def __init__(self, exchange: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], cap: int, deadline_s: float = DEADLINE_S) -> None:
        self._exchange = exchange
        self._cap = cap
        self._deadline_s = deadline_s
        self._queue: deque[_Waiting[Item, Answer]] = deque()
        self._flight: Sequence[_Waiting[Item, Answer]] = ()
        self._bytes = 0
        self._flush: asyncio.Task[None] | None = None
        self._look: asyncio.TimerHandle | None = None

    async def ask(self, item: Item, size: int = 0) -> Answer:
        """Send one item with what else waits. Raises NotDone or OutcomeUnknown, each within about the deadline."""
        if self._bytes + size > WAITING_BYTES:
            raise NotDone("Too much is waiting for Redis.")
        loop = asyncio.get_running_loop()
        waiting = _Waiting[Item, Answer](item, size, loop.time() + self._deadline_s, loop.create_future())
        self._queue.append(waiting)
        self._bytes += size
        if self._flush is None:
            self._flush = loop.create_task(self._run())
        if self._look is None:
            self._look = loop.call_later(_LOOK_S, self._settle_overdue)
        return await waiting.answer

    async def close(self) -> None:
        """Wait until what was asked is answered; bounded by the deadline."""
        if self._flush:
            await asyncio.wait([self._flush], timeout=self._deadline_s + _LOOK_S)
        if self._look:
            self._look.cancel()

    async def _run(self) -> None:
        refusals = 0
        while batch := self._take():
            self._flight = batch
            try:
                await self._send(batch)
                refusals = 0
            except NotDone as error:
                self._put_back(batch, error)
                await asyncio.sleep(_AGAIN_S[min(refusals, len(_AGAIN_S) - 1)])
                refusals += 1
        self._flight = ()
        self._flush = None

    async def _send(self, batch: Sequence[_Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._exchange([one.item for one in batch])
        except NotDone:
            raise
        except Exception as error:  # whatever it is, each request must hear of it; its handler's last resort logs it
            for one in batch:
                one.fail(OutcomeUnknown(error.detail) if isinstance(error, OutcomeUnknown) else error)
            return
        for one, answer in zip(batch, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)

    def _take(self) -> list[_Waiting[Item, Answer]]:
        batch: list[_Waiting[Item, Answer]] = []
        size = 0
        while self._queue and len(batch) < self._cap and (not batch or size + self._queue[0].size <= BATCH_BYTES):
            one = self._queue.popleft()
            self._bytes -= one.size
            if not one.answer.done():
                batch.append(one)
                size += one.size
        return batch

    def _put_back(self, batch: Sequence[_Waiting[Item, Answer]], error: NotDone) -> None:
        self._flight = ()
        now = asyncio.get_running_loop().time()
        for one in reversed(batch):
            if one.due <= now:
                one.fail(NotDone(error.detail))
            else:
                self._queue.appendleft(one)
                self._bytes += one.size

    def _settle_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in self._flight:
            if one.due <= now:
                one.fail(OutcomeUnknown("Redis has not answered yet."))
        while self._queue and self._queue[0].due <= now:
            one = self._queue.popleft()
            self._bytes -= one.size
            one.fail(NotDone("Redis cannot be reached now."))
        self._look = loop.call_later(_LOOK_S, self._settle_overdue) if self._queue or self._flight else None
