"""arq: ``arq_jobs COUNT`` puts no-op jobs; ``arq loadtest.peers.arq_jobs.WorkerSettings`` runs them.

It looks for jobs every 10 ms; its default of half a second would be what is measured. The Redis is named by the variable
PEER_REDIS_PORT.
"""

import asyncio
import os
import sys
from typing import Any, ClassVar

from arq import create_pool
from arq.connections import RedisSettings

from loadtest.peers.payload import PAYLOAD

_REDIS = RedisSettings(port=int(os.environ.get("PEER_REDIS_PORT", "6379")))


async def noop(context: dict[str, Any], payload: Any = None) -> None:
    """Do nothing."""


class WorkerSettings:
    """As many at once as the others have threads."""

    functions: ClassVar[list[Any]] = [noop]
    redis_settings = _REDIS
    max_jobs = 20
    poll_delay = 0.01
    keep_result = 86_400


async def _put(count: int) -> None:
    pool = await create_pool(_REDIS)
    for _ in range(count):
        await pool.enqueue_job("noop", PAYLOAD)
    await pool.aclose()


if __name__ == "__main__":
    asyncio.run(_put(int(sys.argv[1])))
