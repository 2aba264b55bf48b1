"""A Redis with nothing in it, and a worker on it: for each test, or one for all tests of a module that break nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import RedisServer
from tests.worker.mill import Mill, Worker
from worker.inbox import Inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A child's."""
    inbox = Inbox()
    yield inbox
    inbox.close()


@pytest.fixture
def mill(redis_url: str, tmp_path: Path) -> Iterator[Mill]:
    """Jobs in the session's Redis, which is empty."""
    mill = Mill(redis_url, tmp_path)
    yield mill
    mill.close()


@pytest.fixture
def worker(mill: Mill) -> Iterator[Worker]:
    """A worker with the usual settings."""
    with mill.worker() as worker:
        yield worker


@pytest.fixture(scope="module")
def steady_mill(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mill]:
    """Jobs in the session's Redis, which was empty when the module began."""
    with redis_server.client() as client:
        client.flushall()
    mill = Mill(redis_server.url, tmp_path_factory.mktemp("mill"))
    yield mill
    mill.close()


@pytest.fixture(scope="module")
def steady_worker(steady_mill: Mill) -> Iterator[Worker]:
    """The module's worker."""
    with steady_mill.worker() as worker:
        yield worker
