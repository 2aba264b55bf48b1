"""An empty Redis, an empty record, and a recorder between them."""

from collections.abc import Callable, Iterator

import pytest
import redis

from collector.pulse import Pulse
from collector.recorder import Recorder
from millpond import broker
from millpond.settings import CollectorSettings
from millpond.store import Store
from tests.millpond.scripts.pond import Pond
from tests.store.records import postgres, record_url, session_record, store

__all__ = ["Recorders", "postgres", "record_url", "session_record", "store"]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    """A connection to the session's Redis, which is empty."""
    with broker.connect(redis_url) as client:
        yield client


@pytest.fixture
def pond(redis_url: str) -> Iterator[Pond]:
    """Millpond's moves on the session's Redis, with more patience than the product's."""
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        yield Pond(client)


Recorders = Callable[..., Recorder]


@pytest.fixture
def recorder(client: redis.Redis, redis_url: str) -> Recorders:
    """Makes recorders on the session's Redis: recorder(store, batch=...)."""

    def make(store: Store, **settings: object) -> Recorder:
        return Recorder(CollectorSettings(redis_url=redis_url, **settings), client, store, Pulse(""))  # type: ignore[arg-type]

    return make
