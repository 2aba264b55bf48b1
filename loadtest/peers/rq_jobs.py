"""``python -m loadtest.peers.rq_jobs REDIS_PORT COUNT``: no-op jobs through stock RQ's SimpleWorker; prints jobs per second."""

import logging
import sys
import time

import redis
import rq

from loadtest.peers.noop import noop


def rate(port: int, count: int) -> float:
    """Enqueue `count` jobs, then work until none is left; only the work is timed."""
    connection = redis.Redis(port=port)
    connection.flushall()
    queue = rq.Queue(connection=connection)
    queue.enqueue_many([rq.Queue.prepare_data(noop) for _ in range(count)])
    worker = rq.SimpleWorker([queue], connection=connection)
    began = time.perf_counter()
    worker.work(burst=True, logging_level="WARNING")
    seconds = time.perf_counter() - began
    done = queue.finished_job_registry.count
    if done != count:
        raise RuntimeError(f"{done} of {count} jobs finished")
    return count / seconds


if __name__ == "__main__":
    logging.disable()
    print(rate(*map(int, sys.argv[1:])))
