"""taskiq with a Redis stream: ``taskiq_jobs put COUNT`` puts no-op jobs; its worker is taskiq's own.

The stream is the broker that acknowledges (taskiq-redis, "RedisStreamBroker"), once the result is saved, which is the default of
``--ack-type`` in its guide's page on the command line; uvloop is installed, and its worker takes it by itself.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

_results: RedisAsyncResultBackend[Any] = RedisAsyncResultBackend(side.URL, result_ex_time=86_400, prefix_str="result")
broker = RedisStreamBroker(side.URL, consumer_id="0").with_result_backend(_results)


async def _noop(payload: Any = None) -> None:
    """Do nothing."""


noop = broker.register_task(_noop, "noop")


@asynccontextmanager
async def connected() -> AsyncIterator[Callable[[], Awaitable[side.Question]]]:
    """Submits as its documentation has it: a broker that was started."""
    await broker.startup()

    async def submit() -> side.Question:
        task = await noop.kiq(PAYLOAD)
        return "EXISTS", f"result:{task.task_id}"

    yield submit
    await broker.shutdown()


if __name__ == "__main__":
    side.coroutines(connected)
