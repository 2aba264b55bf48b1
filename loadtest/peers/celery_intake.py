"""FastAPI and Celery with its Redis broker, for ``uvicorn --loop uvloop --http httptools loadtest.peers.celery_intake:app``.

No result backend and JSON, which are Celery's defaults, and ``ignore_result``, which its documentation advises for speed. The
handler is a plain function, which FastAPI runs in its thread pool: a coroutine that calls ``delay`` itself would hold the loop for
a round trip and a sync, and reaches a third of this. The Redis is named by the variable PEER_REDIS_PORT.
"""

import os

from celery import Celery
from fastapi import FastAPI

from loadtest.peers.body import Accepted, Body

celery = Celery("peer", broker=f"redis://127.0.0.1:{os.environ['PEER_REDIS_PORT']}/0")
celery.conf.task_ignore_result = True


def _thumbnail(path: str, width: int, quality: int = 80, crop: bool = False) -> None:
    """Do nothing."""


thumbnail = celery.task(name="thumbnail")(_thumbnail)


def submit(body: Body) -> Accepted:
    """Enqueues, and answers the job's id."""
    job = thumbnail.delay(*body.args, **body.kwargs.model_dump())
    return Accepted(id=job.id)


app = FastAPI()
app.add_api_route("/jobs", submit, methods=["POST"], status_code=202)
