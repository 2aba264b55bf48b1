"""Whole Millponds for the system tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RedisServer


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis for one module, which it may kill and stop."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for one module."""
    return tmp_path_factory.mktemp("site")


@pytest.fixture(scope="module")
def redis_server_url(redis_server: RedisServer) -> str:
    """The session's Redis, emptied for one module."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url
