"""Servers and fresh state for every suite. What is missing fails; nothing is skipped."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import pace
from tests.processes import GUARD
from tests.servers import PostgresServer, RedisServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """``make soak``: the same tests with the counts that take long."""
    parser.addoption("--full", action="store_true", help="tests with their full counts, held to the times of a machine of their own")
    parser.addoption("--slack", type=float, help="how many times as long as alone everything may take")


def pytest_configure(config: pytest.Config) -> None:
    """Say how fast this machine must be."""
    pace.allow(config.getoption("--slack") or (pace.ALONE if config.getoption("--full") else pace.SHARED))


@pytest.fixture(scope="session")
def full(pytestconfig: pytest.Config) -> bool:
    """Whether to run with full counts."""
    return bool(pytestconfig.getoption("--full", default=False))


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder for the servers' data that other users may enter: pytest's own is closed to the user postgres."""
    with tempfile.TemporaryDirectory(prefix="millpond-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session", autouse=True)
def _guard() -> Iterator[None]:
    yield
    GUARD.close()


@pytest.fixture(scope="session")
def redis_server(server_folder: Path) -> Iterator[RedisServer]:
    """The session's Redis. A test that kills or stops it makes its own: ``with RedisServer(tmp_path) as server``."""
    with RedisServer(server_folder / "redis") as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The session's Redis, empty."""
    with redis_server.client() as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def postgres_server(server_folder: Path) -> Iterator[PostgresServer]:
    """The session's PostgreSQL. A test that stops it makes its own."""
    with PostgresServer(server_folder / "postgres") as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """A fresh, empty PostgreSQL database."""
    return postgres_server.fresh_database()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh, empty database, once on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/millpond.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.fresh_database()
