"""Stock RQ: ``rq_work put COUNT`` puts no-op jobs, ``rq_work Worker`` or ``rq_work SimpleWorker`` works until it is told to end.

"Performance notes" of its documentation on workers: SimpleWorker forks for no job, Worker for each. Jobs are JSON, as Millpond's are.
"""

import logging
import sys

import redis
import rq
from rq.serializers import JSONSerializer

from loadtest.peers import side
from loadtest.peers.noop import noop
from loadtest.peers.payload import PAYLOAD

_queue = rq.Queue(connection=redis.Redis(port=side.PORT), serializer=JSONSerializer)


def put(count: int) -> None:
    """Enqueue in one call."""
    _queue.enqueue_many([rq.Queue.prepare_data(noop, (PAYLOAD,), result_ttl=86_400) for _ in range(count)])


def submit() -> side.Question:
    """Submit a job."""
    return "ZSCORE", "rq:finished:default", _queue.enqueue(noop, PAYLOAD, result_ttl=86_400).id


def work(kind: str) -> None:
    """Work as ``rq worker`` does, without its log lines."""
    worker = getattr(rq, kind)([_queue], connection=_queue.connection, serializer=JSONSerializer)
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    logging.disable()
    match sys.argv[1]:
        case "put":
            put(int(sys.argv[2]))
        case "pace":
            side.blocking(submit)
        case kind:
            work(kind)
