"""One suite, both databases: `store` is a fresh database of each engine in turn."""

from collections.abc import Iterator

import pytest

from millpond.store import Store, open_store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A fresh record."""
    opened = open_store(database_url)
    opened.upgrade()
    yield opened
    opened.close()


@pytest.fixture
def other(store: Store, database_url: str) -> Iterator[Store]:
    """A second writer on the record of `store`."""
    opened = open_store(database_url)
    yield opened
    opened.close()
