"""Blocking work in threads, by asyncio's own call: any function, any executor."""

import asyncio
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

from loadtest.ladder.servers.serve import JobHandler, bind, options, serve
from loadtest.ladder.servers.work import piece


class Main(JobHandler):
    """As many jobs at once as the executor has slots."""

    def initialize(self, seconds: float, ledger: Path, executor: Executor) -> None:  # type: ignore[override]
        super().initialize(seconds, ledger)
        self.executor = executor

    async def get(self) -> None:
        loop = asyncio.get_running_loop()
        n = await loop.run_in_executor(self.executor, piece, self.seconds, self.ledger.path, self.job_id)
        self.write(f"{n} done")


if __name__ == "__main__":
    told = options()
    threads = ThreadPoolExecutor(told.slots)
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger, "executor": threads})], bind(told.port))
