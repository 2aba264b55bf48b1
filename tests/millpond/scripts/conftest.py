"""An empty pond for each test of a script."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.millpond.scripts.pond import Pond
from tests.servers import RedisServer


@pytest.fixture(scope="session")
def quick_server(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis that does not wait for the disk: what a script does, it does there as well."""
    with RedisServer(server_folder / "quick", "--appendonly", "no") as server:
        yield server


@pytest.fixture
def pond(quick_server: RedisServer) -> Iterator[Pond]:
    """Millpond's moves on that Redis, which is empty."""
    with redis.Redis.from_url(quick_server.url, socket_timeout=10) as client:
        client.flushall()
        yield Pond(client)
