"""Stock RQ: ``rq_work COUNT`` puts no-op jobs, ``rq_work Worker`` or ``rq_work SimpleWorker`` works until it is told to end.

The Redis is named by the variable PEER_REDIS_PORT.
"""

import logging
import os
import sys

import redis
import rq
from rq.serializers import JSONSerializer

from loadtest.peers.noop import noop
from loadtest.peers.payload import PAYLOAD


def _queue() -> rq.Queue:
    return rq.Queue(connection=redis.Redis(port=int(os.environ["PEER_REDIS_PORT"])), serializer=JSONSerializer)


def put(count: int) -> None:
    """Enqueue in one call."""
    queue = _queue()
    queue.enqueue_many([rq.Queue.prepare_data(noop, (PAYLOAD,), result_ttl=86_400) for _ in range(count)])


def work(kind: str) -> None:
    """Work as ``rq worker`` does, without its log lines."""
    queue = _queue()
    worker = getattr(rq, kind)([queue], connection=queue.connection, serializer=JSONSerializer)
    worker.work(logging_level="WARNING")


if __name__ == "__main__":
    logging.disable()
    put(int(sys.argv[1])) if sys.argv[1].isdecimal() else work(sys.argv[1])
