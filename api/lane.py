"""A lane to Redis: what waits when the last answer comes back leaves together (group commit).

A request that finds the lane free leaves at once, alone; under load the batches grow by themselves and no timer is needed. A lane
has one connection for each batch that may be on its way at a time. Each request is answered within about `DEADLINE_S`, whatever Redis
does, and told apart as rule 9 does: still waiting here means not done, sent and unanswered means unknown.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain
from math import ceil
from typing import Generic, TypeVar

from api.link import Link
from millpond.errors import NotDone, OutcomeUnknown

Item = TypeVar("Item")
Answer = TypeVar("Answer")

DEADLINE_S = 1.05  # from arrival to an answer, whatever Redis does
SILENCE_S = 0.9  # a reply that is so late is lost; what is left of the deadline is for those who waited behind it
WAITING_BYTES = 64 << 20  # more than this waiting: refuse, or a stalled Redis fills our memory
BESIDE = 24  # so many at least make a batch beside another: for fewer a sync of its own costs more than the overlap wins
BATCH_BYTES = 4 << 20  # a script call of this size holds Redis for some 10 ms; twice that is felt by workers
_LOOK_S = 0.05  # how often waiting requests are looked at for their deadline
_AGAIN_S = (0.02, 0.05, 0.1, 0.2)  # pauses before a refused batch is sent again


class Waiting(Generic[Item, Answer]):
    """One item on its way. `done` is called once: with the answer, or with NotDone, OutcomeUnknown or what nobody foresaw."""

    __slots__ = ("done", "due", "item", "over", "size")

    def __init__(self, item: Item, size: int, due: float, done: "Callable[[Answer | Exception], None]") -> None:
        self.item, self.size, self.due, self.done = item, size, due, done
        self.over = False

    def settle(self, answer: "Answer | Exception") -> None:
        """Answer, unless that was done before."""
        if not self.over:
            self.over = True
            self.done(answer)

    def leave(self) -> None:
        """Want no answer any more: what was not sent yet will not be."""
        self.over = True


class Lane(Generic[Item, Answer]):
    """`exchange` sends at most `cap` items over one link and returns their answers in order. `abreast`: how many batches may be on
    their way at once; then one is read and answered here while Redis syncs the other."""

    def __init__(
        self, redis_url: str, exchange: Callable[[Link, Sequence[Item]], Awaitable[Sequence[Answer]]], cap: int, abreast: int = 1
    ) -> None:
        self._links = [Link(redis_url, SILENCE_S) for _ in range(abreast)]
        self._free = [*self._links]
        self._exchange = exchange
        self._cap = cap
        self._queue: deque[Waiting[Item, Answer]] = deque()
        self._flights: dict[Link, Sequence[Waiting[Item, Answer]]] = {}
        self._bytes = 0
        self._refusal = ""
        self._runs: set[asyncio.Task[None]] = set()
        self._look: asyncio.TimerHandle | None = None

    async def ask(self, item: Item, size: int = 0) -> Answer:
        """Send one item of `size` bytes with what else waits. Raises NotDone or OutcomeUnknown, within about the deadline."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer | Exception) -> None:
            if answered.done():
                return
            if isinstance(answer, Exception):
                answered.set_exception(answer)
            else:
                answered.set_result(answer)

        waiting = self.put(item, size, done)
        try:
            return await answered
        finally:
            waiting.leave()

    def put(self, item: Item, size: int, done: "Callable[[Answer | Exception], None]") -> "Waiting[Item, Answer]":
        """As `ask`, without waiting: `done` will be called. Raises NotDone at once where too much waits."""
        if self._bytes + size > WAITING_BYTES:
            raise NotDone("Too much is waiting for Redis.")
        loop = asyncio.get_running_loop()
        waiting: Waiting[Item, Answer] = Waiting(item, size, loop.time() + DEADLINE_S, done)
        self._queue.append(waiting)
        self._bytes += size
        if self._free and self._worth():
            run = loop.create_task(self._run(self._free.pop()))
            self._runs.add(run)
            run.add_done_callback(self._runs.discard)
        if self._look is None:
            self._look = loop.call_later(_LOOK_S, self._settle_overdue)
        return waiting

    async def close(self) -> None:
        """Wait until what was asked is answered, then disconnect; bounded by the deadline."""
        if self._runs:
            await asyncio.wait(self._runs, timeout=DEADLINE_S + _LOOK_S)
        if self._look:
            self._look.cancel()
        for link in self._links:
            link.close()

    async def _run(self, link: Link) -> None:
        refusals = 0
        while self._worth():
            try:
                await link.open()
                # Taken only now: what still waits when its time is over was not done, for certain.
                if self._worth() and (batch := self._take()):
                    await self._send(link, batch)
                refusals, self._refusal = 0, ""
            except NotDone as error:
                self._refusal = error.detail
                await asyncio.sleep(_AGAIN_S[min(refusals, len(_AGAIN_S) - 1)])
                refusals += 1
        self._free.append(link)

    async def _send(self, link: Link, batch: Sequence[Waiting[Item, Answer]]) -> None:
        self._flights[link] = batch
        try:
            answers = await self._exchange(link, [one.item for one in batch])
        except NotDone as error:
            self._put_back(batch, error)
            raise
        except Exception as error:  # whatever it is, each request must hear of it; its handler's last resort logs it
            for one in batch:
                one.settle(OutcomeUnknown(error.detail) if isinstance(error, OutcomeUnknown) else error)
            return
        finally:
            del self._flights[link]
        for one, answer in zip(batch, answers, strict=True):
            one.settle(answer)

    def _worth(self) -> bool:
        """Whether what waits makes a batch now."""
        return len(self._queue) >= (BESIDE if self._flights else 1)

    def _share(self) -> int:
        """How many one batch takes at most: all would leave none for the links beside it, and they would take turns for ever."""
        under_way = sum(map(len, self._flights.values()))
        return min(self._cap, max(BESIDE, ceil((len(self._queue) + under_way) / len(self._links))))

    def _take(self) -> list[Waiting[Item, Answer]]:
        cap = self._share()
        batch: list[Waiting[Item, Answer]] = []
        size = 0
        while self._queue and len(batch) < cap and (not batch or size + self._queue[0].size <= BATCH_BYTES):
            one = self._pop()
            if not one.over:
                batch.append(one)
                size += one.size
        return batch

    def _pop(self) -> Waiting[Item, Answer]:
        one = self._queue.popleft()
        self._bytes -= one.size
        return one

    def _put_back(self, batch: Sequence[Waiting[Item, Answer]], error: NotDone) -> None:
        now = asyncio.get_running_loop().time()
        for one in reversed(batch):
            if one.due <= now:
                one.settle(NotDone(error.detail))
            else:
                self._queue.appendleft(one)
                self._bytes += one.size

    def _settle_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for one in chain.from_iterable(self._flights.values()):
            if one.due <= now:
                one.settle(OutcomeUnknown("Redis has not answered yet."))
        while self._queue and self._queue[0].due <= now:
            self._pop().settle(NotDone(self._refusal or "Redis is slow."))
        self._look = loop.call_later(_LOOK_S, self._settle_overdue) if self._queue or self._flights else None
