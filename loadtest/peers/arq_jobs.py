"""arq: ``arq_jobs put COUNT`` puts no-op jobs; ``arq loadtest.peers.arq_jobs.WorkerSettings`` runs them.

As many jobs at once as the others have slots, and a look at the queue every 10 ms: ``max_jobs`` and ``poll_delay`` as the reference
of ``arq.worker.Worker`` has them. Its default of half a second would be what is measured. It says nothing of each job
(``--custom-log-dict``).
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from arq import create_pool
from arq.connections import RedisSettings

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

QUIET: dict[str, Any] = {"version": 1}
_REDIS = RedisSettings(port=side.PORT)


async def noop(context: dict[str, Any], payload: Any = None) -> None:
    """Do nothing."""


class WorkerSettings:
    """What its worker is told."""

    functions: ClassVar[list[Any]] = [noop]
    redis_settings = _REDIS
    max_jobs = 20
    poll_delay = 0.01
    keep_result = 86_400


@asynccontextmanager
async def connected() -> AsyncIterator[Callable[[], Awaitable[side.Question]]]:
    """Submits as its documentation has it: one pool."""
    pool = await create_pool(_REDIS)

    async def submit() -> side.Question:
        job = await pool.enqueue_job("noop", PAYLOAD)
        return "EXISTS", f"arq:result:{job.job_id}"

    yield submit
    await pool.aclose()


if __name__ == "__main__":
    side.coroutines(connected)
