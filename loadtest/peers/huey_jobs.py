"""huey with its Redis storage: ``huey_jobs COUNT`` puts no-op jobs; its consumer is huey's own.

As its documentation has it for speed: blocking reads, which are its default. Results are kept, of functions that return None too. The
Redis is named by the variable PEER_REDIS_PORT.
"""

import os
import sys
from typing import Any

from huey import RedisHuey

from loadtest.peers.payload import PAYLOAD

huey = RedisHuey("peer", port=int(os.environ.get("PEER_REDIS_PORT", "6379")), store_none=True)


def _noop(payload: Any = None) -> None:
    """Do nothing."""


noop = huey.task(name="noop")(_noop)


def put(count: int) -> None:
    """Enqueue, one after the other."""
    for _ in range(count):
        noop(PAYLOAD)


if __name__ == "__main__":
    from loadtest.peers import huey_jobs  # a task goes by its module's name, and its consumer does not know this one

    huey_jobs.put(int(sys.argv[1]))
