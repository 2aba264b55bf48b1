"""Who waits for which job, and how they are told: by one subscription and one reader per replica (rule 14).

    a message, a new watch, the sweep  ->  ring  ->  read (many jobs in one call)  ->  tell every watch of that job

The cost of waiting is the replica's, not each request's: 5,000 requests that wait are some twenty calls a second, and a job is read
once however many wait for it. Pub/sub only hastens: a message can be lost with a connection, so the sweep asks Redis every second
which of all these jobs moved.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from redis.exceptions import RedisError

from api.lookup import Lookup
from api.subscription import Subscription
from api.watch import Watch
from millpond import keys
from millpond.errors import MillpondError, NotDone, Unavailable
from millpond.job import Job
from millpond.moves import Told

SWEEP_S = 1.0  # how long a lost message can delay a watch
LOOK_S = 5.0  # for a last look at a job: far beyond Redis's and the database's own deadlines
_READ_AT_ONCE = 100  # jobs; a read takes some turns of the loop, and under load these are long: fewer would not keep up
_READ_BYTES = 4 << 20  # when a read was longer than that, the next one is of half as many jobs
_TOLD_AT_ONCE = 8  # jobs; who waits for them is answered in one turn of the loop, some 0.3 ms each
_EARLY = 1_000  # ends that are remembered until who submitted the job waits for it: the two come on different connections
_SWEPT_AT_ONCE = 250  # jobs; half a millisecond of Redis's time


@dataclass(slots=True)
class _Watched:
    """One job that is waited for. `version`: as last told, None before; `missed`: it could not be read when it should have been."""

    watches: set[Watch] = field(default_factory=set)
    version: int | None = None
    missed: bool = False

    @property
    def asked(self) -> Told:
        """What Redis should tell of it."""
        if any(watch.moves for watch in self.watches):
            return "watchers"
        return "waiters" if any(watch.patient for watch in self.watches) else ""

    def tell(self, told: Job | MillpondError, read: int) -> None:
        self.missed = isinstance(told, Unavailable)
        if isinstance(told, Job):
            self.version = told.version
        for watch in self.watches:
            if self.missed or watch.since < read:
                watch.tell(told)


class Waiters:
    """All watches of this replica, by job id."""

    def __init__(self, redis_url: str, replica: str, lookup: Lookup) -> None:
        self.channel = keys.told_channel(replica)
        self._subscription = Subscription(redis_url, self.channel, self._hear)
        self._lookup = lookup
        self._watched: dict[str, _Watched] = {}
        self._rung: dict[str, None] = {}  # to be read, in the order of their ringing
        self._early: dict[str, None] = {}  # told of before somebody waited for them
        self._tasks: set[asyncio.Task[None]] = set()
        self._readers = 0
        self._at_once = _READ_AT_ONCE
        self._reads = 0
        self._draining = False

    def start(self) -> None:
        """Begin to listen and to sweep."""
        self._subscription.start()
        self._spawn(self._sweep_always())

    @contextmanager
    def watching(self, id: str, watch: Watch, told: bool = False) -> Iterator[None]:
        """Inside the block `watch` is told of the job, first of how it is now; with `told`, of a job that was submitted with our
        channel, only of its end."""
        watched = self._watched.setdefault(id, _Watched())
        watched.watches.add(watch)
        watch.since = self._reads
        if id in self._early or not told:
            self._early.pop(id, None)
            self.ring(id)
        if self._draining:
            watch.dismiss()
        try:
            yield
        finally:
            watched.watches.discard(watch)
            if not watched.watches and self._watched.get(id) is watched:
                del self._watched[id]

    async def ended(self, id: str, seconds: float, watch: Watch, told: bool = False) -> Job:
        """The job when it has ended, or as it is after `seconds` or when `watch` is dismissed. `told`: see `watching`. Raises
        NotFound, NotDone or StoreUnavailable; an outage in the meantime is waited for, too."""
        with self.watching(id, watch, told):
            return (await watch.next(seconds) if seconds else None) or await self.look(id, watch)

    async def look(self, id: str, watch: Watch) -> Job:
        """The job as it is now, for a watch that waits for no more. Raises as `ended`."""
        watch.hurry()
        watch.since = self._reads
        self.ring(id)
        job = await watch.next(LOOK_S)
        if job is None:
            raise NotDone("Redis is slow.")
        return job

    def count(self, moves: bool) -> int:
        """How many requests wait now for each move, or for an end."""
        return sum(watch.moves == moves for watched in self._watched.values() for watch in watched.watches)

    def drain(self) -> None:
        """Let everybody go at once, and whoever still comes."""
        self._draining = True
        for watched in self._watched.values():
            for watch in watched.watches:
                watch.dismiss()

    async def close(self) -> None:
        """End what `start` began."""
        await self._subscription.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _hear(self, id: str) -> None:
        """A message: the job moved."""
        if id not in self._watched:
            self._early[id] = None
            if len(self._early) > _EARLY:
                del self._early[next(iter(self._early))]
        self.ring(id)

    def ring(self, id: str) -> None:
        """Have a job read, if somebody here waits for it."""
        if id not in self._watched:
            return
        self._rung[id] = None
        if self._readers == 0 or (self._readers == 1 and len(self._rung) > self._at_once):  # one reads while the other tells
            self._readers += 1
            self._spawn(self._read())

    # -- reading ----------------------------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        """Read what was rung, some jobs at a time, until nothing is left. What rings meanwhile is read again."""
        try:
            while self._rung:
                ids = list(islice(self._rung, self._at_once))
                for id in ids:
                    del self._rung[id]
                await self._read_some([id for id in ids if id in self._watched])
        finally:
            self._readers -= 1

    async def _read_some(self, ids: Sequence[str]) -> None:
        self._reads += 1
        read = self._reads
        items: list[tuple[str, Told]] = [(id, self._watched[id].asked) for id in ids]
        try:
            seen = await self._lookup.live_all(items, self.channel)
        except (NotDone, RedisError) as error:
            # Whoever would rather hear that than wait hears it now: a call more would only add its time-out.
            for id in [*ids, *self._rung]:
                self._tell(id, error if isinstance(error, NotDone) else NotDone(f"Redis refused: {error}"), read)
            self._rung.clear()
            return
        for number, (id, one) in enumerate(zip(ids, seen, strict=True), 1):
            open_, live = one.judged()
            if open_ and live:
                self._tell(id, live, read)
            else:
                self._spawn(self._read_record(id, open_, live, read))
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)  # those who were told have their turn
        self._at_once = max(1, self._at_once // 2) if sum(one.size for one in seen) > _READ_BYTES else _READ_AT_ONCE

    async def _read_record(self, id: str, open_: bool, live: Job | None, read: int) -> None:
        """Tell what the database says; a task of its own, so that a slow one delays nobody whom Redis can answer."""
        try:
            self._tell(id, await self._lookup.settled(id, open_, live), read)
        except MillpondError as error:
            self._tell(id, error, read)

    def _tell(self, id: str, told: Job | MillpondError, read: int) -> None:
        if watched := self._watched.get(id):
            watched.tell(told, read)

    # -- the sweep --------------------------------------------------------------------------------------------------------------

    async def _sweep_always(self) -> None:
        while True:
            ids = list(self._watched)
            pieces = [ids[at : at + _SWEPT_AT_ONCE] for at in range(0, len(ids), _SWEPT_AT_ONCE)] or [ids]
            for piece in pieces:
                await asyncio.sleep(SWEEP_S / len(pieces))  # spread over the second
                await self._sweep([id for id in piece if id in self._watched])

    async def _sweep(self, ids: Sequence[str]) -> None:
        if not ids:
            return
        items = [(id, watched.version if watched.asked == "watchers" else None) for id in ids if (watched := self._watched[id])]
        try:
            moved = await self._lookup.glance(items)
        except (NotDone, RedisError):
            return  # the next one finds it
        for id in [*moved, *(id for id in ids if id in self._watched and self._watched[id].missed)]:
            self.ring(id)

    def _spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
