"""streaQ: ``streaq_jobs put COUNT`` puts no-op jobs; ``streaq run loadtest.peers.streaq_jobs:worker`` runs them.

As many jobs at once as the others have slots, as many again fetched ahead, and uvloop: ``concurrency``, ``prefetch`` and
``anyio_kwargs`` in the reference of ``streaq.Worker``.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from streaq import Worker

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

worker: Worker[None] = Worker(redis_url=side.URL, concurrency=20, prefetch=20, anyio_kwargs={"use_uvloop": True})


@worker.task(ttl=86_400, silent=True, name="noop")  # type: ignore[untyped-decorator]
async def noop(payload: Any = None) -> None:
    """Do nothing."""


@asynccontextmanager
async def connected() -> AsyncIterator[Callable[[], Awaitable[side.Question]]]:
    """Submits as its documentation has it: within the worker's context."""
    async with worker:

        async def submit() -> side.Question:
            task = await noop.enqueue(PAYLOAD)
            return "EXISTS", f"streaq:default:task:results:{task.id}"

        yield submit


if __name__ == "__main__":
    side.coroutines(connected)
