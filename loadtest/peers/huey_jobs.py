"""huey with its Redis storage: ``huey_jobs put COUNT`` puts no-op jobs; its consumer is huey's own.

Threads, and blocking reads, which are RedisHuey's default: "Consumer options" and "Redis storage" of its documentation. Results are
kept, of functions that return None too (``store_none``).
"""

from typing import Any

from huey import RedisHuey

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

huey = RedisHuey("peer", port=side.PORT, store_none=True)


def _noop(payload: Any = None) -> None:
    """Do nothing."""


noop = huey.task(name="noop")(_noop)


def submit() -> side.Question:
    """Submit a job."""
    return "HEXISTS", "huey.results.peer", noop(PAYLOAD).id


if __name__ == "__main__":
    from loadtest.peers import huey_jobs  # a task goes by its module's name, and its consumer does not know this one

    side.blocking(huey_jobs.submit)
