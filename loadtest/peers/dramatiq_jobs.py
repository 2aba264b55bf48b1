"""dramatiq with its Redis broker and results: ``dramatiq_jobs put COUNT`` puts no-op jobs; its worker is dramatiq's own.

A worker fetches twice as many messages as it has threads ("Prefetch Limits" in its guide's advanced topics) and acknowledges after the
run; results by the middleware of "Results" in its cookbook.
"""

from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

_results = RedisBackend(url=side.URL, use_namespace_prefix_keys=True)
_broker = RedisBroker(url=side.URL)
_broker.add_middleware(Results(backend=_results, store_results=True, result_ttl=86_400_000))
dramatiq.set_broker(_broker)


def _noop(payload: Any = None) -> None:
    """Do nothing."""


noop = dramatiq.actor(_noop, actor_name="noop")


def submit() -> side.Question:
    """Submit a job."""
    return "EXISTS", _results.build_message_key(noop.send(PAYLOAD))


if __name__ == "__main__":
    side.blocking(submit)
