"""Celery with Redis as broker and result backend: ``celery_jobs COUNT`` puts no-op jobs; its worker is Celery's own.

Acknowledged after the run, so that a job whose worker dies is not lost, and with a high prefetch multiplier, which its documentation
advises for many short tasks. The Redis is named by the variable PEER_REDIS_PORT.
"""

import os
import sys
from typing import Any

from celery import Celery

from loadtest.peers.payload import PAYLOAD

_URL = f"redis://127.0.0.1:{os.environ.get('PEER_REDIS_PORT', '6379')}/0"

app = Celery("peer", broker=_URL, backend=_URL)
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 64


def _noop(payload: Any = None) -> None:
    """Do nothing."""


noop = app.task(name="noop")(_noop)


if __name__ == "__main__":
    for _ in range(int(sys.argv[1])):
        noop.delay(PAYLOAD)
