"""Ponds for what the scripts alone keep, mills for what worker processes keep with them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from millpond.store import Store, open_store
from tests.millpond.scripts.conftest import quick_server  # noqa: F401
from tests.millpond.scripts.pond import Pond
from tests.servers import RedisServer
from tests.worker.mill import Mill


@pytest.fixture
def pond(quick_server: RedisServer) -> Iterator[Pond]:  # noqa: F811
    """Millpond's moves on a Redis that is empty and does not wait for the disk."""
    with redis.Redis.from_url(quick_server.url, socket_timeout=10) as client:
        client.flushall()
        yield Pond(client)


@pytest.fixture
def mill(redis_url: str, tmp_path: Path) -> Iterator[Mill]:
    """Jobs in the session's Redis, which is empty; workers as processes."""
    mill = Mill(redis_url, tmp_path)
    yield mill
    mill.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty record in SQLite."""
    opened = open_store(f"sqlite:///{tmp_path}/millpond.db")
    opened.upgrade()
    yield opened
    opened.close()
