"""Celery with Redis as broker and result backend: ``celery_jobs put COUNT`` puts no-op jobs; its worker is Celery's own.

Acknowledged after the run, so that a job whose worker dies is not lost, and with a high prefetch multiplier for many short tasks:
"Prefetch limits" and "Reserve one task at a time" of its user guide's page on optimizing. Gossip and mingle, which only talk to other
workers, are off.
"""

from typing import Any

from celery import Celery

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

app = Celery("peer", broker=side.URL, backend=side.URL)
app.conf.task_acks_late = True
app.conf.worker_prefetch_multiplier = 64


def _noop(payload: Any = None) -> None:
    """Do nothing."""


noop = app.task(name="noop")(_noop)


def submit() -> side.Question:
    """Submit a job."""
    return "EXISTS", f"celery-task-meta-{noop.delay(PAYLOAD).id}"


if __name__ == "__main__":
    side.blocking(submit)
