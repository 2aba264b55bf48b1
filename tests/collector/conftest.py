"""An empty Redis, an empty record, and a recorder between them."""

from collections.abc import Callable, Iterator

import pytest
import redis

from collector.pulse import Pulse
from collector.recorder import Recorder
from millpond import broker
from millpond.settings import CollectorSettings
from millpond.store import Store, open_store
from tests.millpond.scripts.pond import Pond


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


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A fresh record, once on each engine."""
    opened = open_store(database_url)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Store]:
    """A fresh record in PostgreSQL."""
    opened = open_store(postgres_url)
    opened.upgrade()
    yield opened
    opened.close()


Recorders = Callable[..., Recorder]


@pytest.fixture
def recorder(client: redis.Redis, redis_url: str) -> Recorders:
    """Makes recorders on the session's Redis: recorder(store, batch=...)."""

    def make(store: Store, **settings: object) -> Recorder:
        return Recorder(CollectorSettings(redis_url=redis_url, **settings), client, store, Pulse(""))  # type: ignore[arg-type]

    return make
