"""SAQ with Redis: ``saq_jobs put COUNT`` puts no-op jobs; ``saq loadtest.peers.saq_jobs.settings`` runs them.

As many jobs at once as the others have slots: ``concurrency`` of the settings in its documentation's "Getting started".
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from saq import Queue

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD


async def noop(context: Any, *, payload: Any = None) -> None:
    """Do nothing."""


queue = Queue.from_url(side.URL)
settings = {"queue": queue, "functions": [noop], "concurrency": 20}


@asynccontextmanager
async def connected() -> AsyncIterator[Callable[[], Awaitable[side.Question]]]:
    """Submits as its documentation has it: one queue, connected."""
    await queue.connect()

    async def submit() -> side.Question:
        job = await queue.enqueue("noop", payload=PAYLOAD, ttl=86_400)
        return "PTTL", job.id  # a job's key has one from its end on

    yield submit
    await queue.disconnect()


if __name__ == "__main__":
    side.coroutines(connected)
