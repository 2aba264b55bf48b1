"""One replica for most tests; those that stop, starve or kill something start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from millpond.store import Store, open_store
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import until


@pytest.fixture(scope="session")
def shared_database(server_folder: Path) -> str:
    """The shared replica's database."""
    url = f"sqlite:///{server_folder}/api.db"
    store = open_store(url)
    store.upgrade()
    store.close()
    return url


@pytest.fixture(scope="session")
def shared_replica(server_folder: Path, redis_server: RedisServer, shared_database: str) -> Iterator[Replica]:
    """A replica that lives as long as the session."""
    with Replica(server_folder, redis_server.url, shared_database, classic="on") as replica:
        yield replica


@pytest.fixture(scope="session")
def proxy(redis_server: RedisServer) -> Iterator[RedisProxy]:
    """A way to the session's Redis that counts and loses what the test says."""
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def proxied_replica(server_folder: Path, proxy: RedisProxy, shared_database: str) -> Iterator[Replica]:
    """A replica whose only way to Redis is that one."""
    with Replica(server_folder, proxy.url, shared_database) as replica:
        yield replica


@pytest.fixture
def proxied(proxied_replica: Replica, hand: Hand) -> Replica:
    """That replica, on an empty Redis with a catalogue, warm."""
    until(proxied_replica.is_ready, 5)
    assert proxied_replica.submit({"task": "add", "args": [0]}).status_code == 202
    hand.forget(*[job.id for job in hand.begin()])
    return proxied_replica


@pytest.fixture
def hand(redis_url: str) -> Hand:
    """An empty Redis to which a worker has told its tasks."""
    hand = Hand(redis_url)
    hand.offer()
    return hand


@pytest.fixture
def api(shared_replica: Replica, hand: Hand) -> Replica:
    """A replica on an empty Redis with a catalogue."""
    return shared_replica


@pytest.fixture
def store(shared_database: str) -> Iterator[Store]:
    """The shared replica's record; ids are unique, so rows of earlier tests are in nobody's way."""
    store = open_store(shared_database)
    yield store
    store.close()
