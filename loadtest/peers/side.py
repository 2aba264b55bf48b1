"""What the peers that run jobs have in common: many jobs put at once, or one every so often until each result is there.

``python -m loadtest.peers.NAME put COUNT`` fills the peer's queue. ``python -m loadtest.peers.NAME pace PER_S COUNT`` is an open
loop: jobs are due at fixed times, a latency counts from then, and it ends when the result can be read in Redis, which is asked every
two milliseconds for all results that are missing. It prints a `Paced` as JSON. Only the standard library and redis-py, for every
peer's own Python.
"""

import asyncio
import json
import os
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, field
from threading import Thread

import redis

PORT = int(os.environ.get("PEER_REDIS_PORT", "6379"))
URL = f"redis://127.0.0.1:{PORT}/0"

Question = tuple[str, ...]  # a Redis command whose answer is above 0 once a job's result is there
_THREADS = 16  # Redis syncs each write: callers that wait for it side by side share the sync
_LOOK_S = 0.002
_AT_ONCE = 256  # of the oldest missing results
_GRACE_S = 3.0  # after the last job was due; what is missing then is late for good


@dataclass(slots=True)
class Paced:
    """What came of it. `missing`: jobs without a result."""

    latencies_s: list[float] = field(default_factory=list)
    missing: int = 0
    seconds: float = 0.0


class Watch(Thread):
    """Looks for results until all `count` jobs have one, or until it is too late."""

    def __init__(self, count: int, per_s: float) -> None:
        super().__init__(name="watch", daemon=True)
        self.paced = Paced(missing=count)
        self.began = time.monotonic()
        self._count, self._gap_s = count, 1 / per_s
        self._pending: deque[tuple[float, Question]] = deque()

    def due(self) -> Iterator[float]:
        """When each job is to be submitted."""
        return (self.began + number * self._gap_s for number in range(self._count))

    def expect(self, due: float, question: Question) -> None:
        """A job was submitted."""
        self._pending.append((due, question))

    def run(self) -> None:
        give_up = self.began + self._count * self._gap_s + _GRACE_S
        with redis.Redis(port=PORT) as client:
            while self.paced.missing and time.monotonic() < give_up:
                self._look(client)
                time.sleep(_LOOK_S)
        self.paced.seconds = time.monotonic() - self.began

    def _look(self, client: "redis.Redis") -> None:
        asked = [self._pending.popleft() for _ in range(min(len(self._pending), _AT_ONCE))]
        with client.pipeline(transaction=False) as pipe:
            for _, question in asked:
                pipe.execute_command(*question)
            answers = pipe.execute()
        now = time.monotonic()
        there = [float(answer or 0) > 0 for answer in answers]
        self.paced.latencies_s += [now - due for (due, _), found in zip(asked, there, strict=True) if found]
        self.paced.missing = self._count - len(self.paced.latencies_s)
        self._pending.extendleft(one for one, found in zip(reversed(asked), reversed(there), strict=True) if not found)


def blocking(submit: Callable[[], Question]) -> None:
    """Do what the command line says, with a peer whose submission blocks."""
    with ThreadPoolExecutor(_THREADS) as pool:
        if sys.argv[1] == "put":
            list(pool.map(lambda _: submit(), range(int(sys.argv[2]))))
            return
        watch = _watch()

        def one(due: float) -> None:
            watch.expect(due, submit())

        for due in watch.due():
            time.sleep(max(0.0, due - time.monotonic()))
            pool.submit(one, due)
        _tell(watch)
        pool.shutdown(cancel_futures=True)


def coroutines(connected: Callable[[], AbstractAsyncContextManager[Callable[[], Awaitable[Question]]]]) -> None:
    """The same with a peer whose submission is awaited."""
    asyncio.run(_coroutines(connected))


async def _coroutines(connected: Callable[[], AbstractAsyncContextManager[Callable[[], Awaitable[Question]]]]) -> None:
    async with connected() as submit:
        if sys.argv[1] == "put":
            left = int(sys.argv[2])
            while left > 0:
                await asyncio.gather(*(submit() for _ in range(min(left, _THREADS))))
                left -= _THREADS
            return
        watch = _watch()

        async def one(due: float) -> None:
            watch.expect(due, await submit())

        async with asyncio.TaskGroup() as group:
            for due in watch.due():
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(one(due))
        await asyncio.to_thread(_tell, watch)


def _watch() -> Watch:
    watch = Watch(per_s=float(sys.argv[2]), count=int(sys.argv[3]))
    watch.start()
    return watch


def _tell(watch: Watch) -> None:
    watch.join()
    print(json.dumps(asdict(watch.paced)))
