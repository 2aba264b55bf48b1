"""Blocking work in threads, by Tornado's decorator: a method that is called on the loop and runs on `self.executor`."""

from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tornado.concurrent import run_on_executor

from loadtest.ladder.servers.serve import JobHandler, bind, options, serve
from loadtest.ladder.servers.work import piece


class Main(JobHandler):
    """As many jobs at once as there are threads; what is more waits, and its client with it."""

    def initialize(self, seconds: float, ledger: Path, executor: Executor) -> None:  # type: ignore[override]
        super().initialize(seconds, ledger)
        self.executor = executor

    async def get(self) -> None:
        await self.work(self.job_id)
        self.write(f"{self.job_id} done")

    @run_on_executor
    def work(self, n: int) -> Any:
        """In a thread; the loop has a future of it."""
        return piece(self.seconds, self.ledger.path, n)


if __name__ == "__main__":
    told = options()
    threads = ThreadPoolExecutor(told.slots)
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger, "executor": threads})], bind(told.port))
