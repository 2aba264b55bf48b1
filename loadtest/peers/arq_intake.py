"""FastAPI and arq, for ``uvicorn --loop uvloop --http httptools loadtest.peers.arq_intake:app``.

As arq's documentation has it: one pool, made when the application starts, and ``enqueue_job`` awaited in the handler. The Redis is
named by the variable PEER_REDIS_PORT; hiredis is installed, and redis-py takes it by itself.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from arq import ArqRedis, create_pool
from arq.connections import RedisSettings
from fastapi import FastAPI, Request

from loadtest.peers.body import Accepted, Body


@asynccontextmanager
async def _pool(app: FastAPI) -> AsyncIterator[dict[str, ArqRedis]]:
    pool = await create_pool(RedisSettings(port=int(os.environ["PEER_REDIS_PORT"])))
    yield {"pool": pool}
    await pool.aclose()


async def submit(body: Body, request: Request) -> Accepted:
    """Enqueues, and answers the job's id."""
    job = await request.state.pool.enqueue_job(body.task, *body.args, **body.kwargs.model_dump())
    return Accepted(id=job.job_id)


app = FastAPI(lifespan=_pool)
app.add_api_route("/jobs", submit, methods=["POST"], status_code=202)
