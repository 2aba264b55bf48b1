"""Rule 10. The API is not ready on a Redis that is weaker than MILLPOND_DURABILITY, at its start and afterwards."""

from pathlib import Path

import pytest

from api.durability import judge
from tests.api.replica import Replica
from tests.servers import RedisServer

STRONG = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "maxmemory-policy": "noeviction"}
WEAKER = {
    "appendonly": ["no"],
    "appendfsync": ["everysec", "no"],
    "no-appendfsync-on-rewrite": ["yes"],
    "maxmemory-policy": ["allkeys-lru"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WEAKER.items() for value in values])
def test_each_weaker_setting_is_a_fault(name: str, value: str) -> None:
    assert not judge("always", STRONG, cluster=False).faults
    (fault,) = judge("always", STRONG | {name: value}, cluster=False).faults
    assert value in fault


def test_a_declared_choice_is_none() -> None:
    assert not judge("everysec", STRONG | {"appendfsync": "everysec"}, cluster=False).faults
    assert not judge("none", STRONG | {"appendonly": "no"}, cluster=False).faults
    assert judge("none", STRONG | {"maxmemory-policy": "allkeys-lru"}, cluster=False).faults
    assert judge("none", STRONG, cluster=True).faults


def test_the_api_does_not_start_on_a_weak_redis(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", "--appendfsync", "everysec") as redis:
        api = Replica(tmp_path, redis.url, f"sqlite:///{tmp_path}/api.db")
        try:
            assert api.launch().wait(30) == 3
            assert "appendfsync everysec" in " ".join(api.events("api_refused_to_start")[0]["faults"])
        finally:
            api.close()
