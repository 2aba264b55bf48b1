"""The database as the API reads it: a few threads, a deadline for each question, a clear answer when it is away."""

import asyncio
import builtins
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from api.outage import Outage
from millpond.errors import StoreUnavailable
from millpond.job import Attempt, Job
from millpond.store import JobFilter, Store, open_store

T = TypeVar("T")

THREADS = 4  # questions at once; the rest wait in line within their deadline
DEADLINE_S = 2.0  # a keyset page takes milliseconds: longer means that the database is away or drowning


class Records:
    """Reads of the job records. Every method raises StoreUnavailable within about the deadline."""

    def __init__(self, url: str) -> None:
        self._store: Store = open_store(url, timeout_s=DEADLINE_S)  # what nobody waits for any more must not hold a thread
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="records")
        self._outage = Outage("database")

    async def get(self, id: str) -> Job | None:
        """One job's row, or None."""
        return await self._ask(lambda: self._store.get(id))

    async def attempts(self, id: str, after: tuple[int, int]) -> builtins.list[Attempt]:
        """The recorded attempts of one job, of all its runs, in order (`Store.attempts`)."""
        return await self._ask(lambda: self._store.attempts(id, after))

    async def list(self, filter: JobFilter, limit: int, cursor: str | None) -> tuple[builtins.list[Job], str | None]:
        """A page of rows, newest first, and the cursor of the next page."""
        return await self._ask(lambda: self._store.list(filter, limit, cursor))

    async def between(self, first: str, last: str, outcomes: bool) -> builtins.list[Job]:
        """The rows with these ids and all between, in order (`Store.between`)."""
        return await self._ask(lambda: self._store.between(first, last, outcomes))

    async def _ask(self, question: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await loop.run_in_executor(self._threads, question)
        except TimeoutError:
            self._outage.seen("it did not answer in time")
            raise StoreUnavailable from None
        except StoreUnavailable as error:
            self._outage.seen(error.detail)
            raise
        self._outage.seen()
        return answer

    def close(self) -> None:
        """Let go of the database; a question that hangs is left to its thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._store.close()
