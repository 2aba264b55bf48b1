"""Producer and consumer in one process: a request is answered as soon as its job stands in a queue, and the work is done behind it.

The queue is in memory: what is in it, or running, when the process ends is gone, though its client was told that it was taken.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

from loadtest.ladder.servers.serve import JobHandler, bind, options, serve
from loadtest.ladder.servers.work import piece

COLLECT_S = 2.0

log = logging.getLogger(__name__)

Work = Callable[[int], int]


class Consumer:
    """Hands jobs to an executor as they come; looks at what is done every `period_s` and puts a job that failed back."""

    def __init__(self, work: Work, executor: Executor, period_s: float = COLLECT_S) -> None:
        self.collected: list[int] = []
        self._work = work
        self._executor = executor
        self._period_s = period_s
        self._buffer: asyncio.Queue[int] = asyncio.Queue()
        self._running: dict[Future[int], int] = {}

    async def put(self, n: int) -> None:
        """Take a job in."""
        await self._buffer.put(n)

    async def run(self) -> None:
        """Consume and collect, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._consume())
            tasks.create_task(self._collect())

    async def _consume(self) -> None:
        while True:
            n = await self._buffer.get()
            self._running[self._executor.submit(self._work, n)] = n

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(self._period_s)
            for future in [one for one in self._running if one.done()]:
                await self._settle(future, self._running.pop(future))

    async def _settle(self, future: Future[int], n: int) -> None:
        if error := future.exception():
            log.warning("job %d failed and is put back: %r", n, error)
            await self.put(n)
        else:
            self.collected.append(future.result())


class Main(JobHandler):
    """Answers `n add`: taken in, not done."""

    def initialize(self, seconds: float, ledger: Path, consumer: Consumer) -> None:  # type: ignore[override]
        super().initialize(seconds, ledger)
        self.consumer = consumer

    async def get(self) -> None:
        await self.consumer.put(self.job_id)
        self.write(f"{self.job_id} add")


if __name__ == "__main__":
    told = options()
    work = partial(piece, told.seconds, told.ledger)
    consumer = Consumer(work, ThreadPoolExecutor(told.slots))
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger, "consumer": consumer})], bind(told.port), consumer.run)
