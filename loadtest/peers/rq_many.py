"""``python -m loadtest.peers.rq_many REDIS_PORT COUNT``: jobs through stock RQ's ``Queue.enqueue_many``; prints jobs per second
and its own CPU seconds.

A thousand a call, which is as fast as more, and its arguments made as it goes, as the lines of an upload are.
"""

import sys
import time
from itertools import islice

import redis
import rq

from loadtest.peers import noop

AT_ONCE = 1000


def rate(port: int, count: int) -> float:
    """Enqueue `count` jobs that differ."""
    queue = rq.Queue(connection=redis.Redis(port=port))
    jobs = (_job(number) for number in range(count))
    began = time.perf_counter()
    while batch := list(islice(jobs, AT_ONCE)):
        queue.enqueue_many(batch)
    return count / (time.perf_counter() - began)


def _job(number: int) -> rq.queue.EnqueueData:
    path = f"pictures/2026/november/the-mill-beside-its-pond-{10**11 + number}.jpeg"
    return rq.Queue.prepare_data(noop.thumbnail, (path, 1024), {"quality": 85, "crop": True})


if __name__ == "__main__":
    print(rate(*map(int, sys.argv[1:])), time.process_time())
