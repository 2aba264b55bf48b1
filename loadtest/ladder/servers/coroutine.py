"""The work as a coroutine: while one job waits, the loop serves the others. It needs a library that waits without blocking."""

import asyncio

from loadtest.ladder.servers.serve import JobHandler, bind, options, serve


class Main(JobHandler):
    """All jobs at once, in one thread."""

    async def get(self) -> None:
        await self.work(self.job_id)
        self.write(f"{self.job_id} done")

    async def work(self, n: int) -> None:
        """What blocked before, by a library that knows the loop."""
        await asyncio.sleep(self.seconds)
        self.ledger.add(n)


if __name__ == "__main__":
    told = options()
    serve([("/", Main, {"seconds": told.seconds, "ledger": told.ledger})], bind(told.port))
