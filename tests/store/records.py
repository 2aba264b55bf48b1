"""The fixtures of one suite for both databases, for every folder that tests against the record. Tables are made once an engine
and emptied for each test; what tests migrations or restarts takes the fixtures of tests/conftest.py."""

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache

import pytest
from sqlalchemy import delete

from millpond.store import Store, open_store
from millpond.store.engines import open_engine
from millpond.store.tables import metadata
from tests.servers import PostgresServer

RecordUrl = Callable[[str], str]


@pytest.fixture(scope="session")
def session_record(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RecordUrl:
    """Answers the URL of the session's record on an engine."""

    @cache
    def url(engine: str) -> str:
        made = f"sqlite:///{tmp_path_factory.mktemp('record')}/millpond.db"
        if engine == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            made = server.fresh_database()
        with closing(open_store(made)) as store:
            store.upgrade()
        return made

    return url


def emptied(url: str) -> str:
    """The same URL, once no row is left behind it."""
    engine = open_engine(url)
    with engine.begin() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    engine.dispose()
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def record_url(request: pytest.FixtureRequest, session_record: RecordUrl) -> str:
    """An empty record, once on each engine."""
    return emptied(session_record(request.param))


@pytest.fixture
def store(record_url: str) -> Iterator[Store]:
    """The record at `record_url`."""
    with closing(open_store(record_url)) as store:
        yield store


@pytest.fixture
def other(record_url: str) -> Iterator[Store]:
    """The same record, by another writer."""
    with closing(open_store(record_url)) as store:
        yield store


@pytest.fixture
def postgres(session_record: RecordUrl) -> Iterator[Store]:
    """An empty record in PostgreSQL."""
    with closing(open_store(emptied(session_record("postgresql")))) as store:
        yield store
