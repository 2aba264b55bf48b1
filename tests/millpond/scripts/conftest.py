"""An empty pond for each test of a script."""

from collections.abc import Iterator

import pytest
import redis

from tests.millpond.scripts.pond import Pond


@pytest.fixture
def pond(redis_url: str) -> Iterator[Pond]:
    """Millpond's moves on the session's Redis, which is empty."""
    with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
        yield Pond(client)
