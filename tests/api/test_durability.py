"""Rule 10: the API does not promise what Redis does not keep."""

import json
from pathlib import Path

import pytest

from api.durability import judge
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.processes import free_port
from tests.servers import RedisServer
from tests.until import until

WEAK = {
    "appendonly": ("always", ["--appendonly", "no"], "appendonly no"),
    "everysec": ("always", ["--appendfsync", "everysec"], "appendfsync everysec"),
    "no sync": ("everysec", ["--appendfsync", "no"], "appendfsync no"),
    "rewrite": ("always", ["--no-appendfsync-on-rewrite", "yes"], "no-appendfsync-on-rewrite yes"),
    "eviction": ("none", ["--maxmemory-policy", "allkeys-lru"], "maxmemory-policy allkeys-lru"),
    "cluster": ("none", ["--cluster-enabled", "yes"], "cluster mode"),
}
STRONG = {"everysec": ("everysec", ["--appendfsync", "everysec"]), "none": ("none", ["--appendonly", "no"])}
TOLD = {"appendonly": "yes", "appendfsync": "always", "no-appendfsync-on-rewrite": "no", "maxmemory-policy": "noeviction"}


@pytest.mark.parametrize("name", WEAK)
def test_rule_10_a_weak_redis_is_refused_at_start_by_name(tmp_path: Path, shared_database: str, name: str) -> None:
    durability, options, named = WEAK[name]
    bus = ["--cluster-port", str(free_port())]  # or it is 10,000 above the other, which may be more than there are
    with RedisServer(tmp_path / "redis", *options, *bus) as redis:
        api = Replica(tmp_path, redis.url, shared_database, durability=durability)
        assert api.launch().wait(20) == 3
        (refusal,) = api.events("api_refused_to_start")
        assert named in " ".join(refusal["faults"])
        assert refusal["code"] == "durability_weak"


@pytest.mark.parametrize("demanded", ["always", "everysec", "none"])
def test_more_than_demanded_is_good(demanded: str) -> None:
    assert judge(demanded, TOLD, cluster=False).faults == ()


def test_a_redis_that_does_not_tell_is_trusted_only_with_none() -> None:
    assert judge("none", {}, cluster=False).faults == ()
    assert "MILLPOND_DURABILITY=none" in judge("everysec", {}, cluster=False).faults[0]


@pytest.mark.parametrize("name", STRONG)
def test_as_durable_as_demanded_is_ready(tmp_path: Path, shared_database: str, name: str) -> None:
    durability, options = STRONG[name]
    with RedisServer(tmp_path / "redis", *options) as redis:
        Hand(redis.url).offer()
        with Replica(tmp_path, redis.url, shared_database, durability=durability) as api:
            until(api.is_ready, 5)
            assert api.submit({"task": "add", "args": [1]}).status_code == 202


def test_rule_10_a_redis_that_becomes_weak_is_noticed(tmp_path: Path, shared_database: str) -> None:
    with RedisServer(tmp_path / "redis") as redis:
        Hand(redis.url).offer()
        with Replica(tmp_path, redis.url, shared_database) as api:
            until(api.is_ready, 5)
            redis.client().config_set("appendfsync", "everysec")
            until(lambda: not api.is_ready(), 12, "noticed within 10 s")
            for answer in (api.http.get("/readyz"), api.submit({"task": "add", "args": [1]})):
                assert (answer.status_code, answer.json()["code"]) == (503, "durability_weak")
                assert "appendfsync everysec" in answer.json()["detail"]
            assert api.http.get("/livez").status_code == 200
            assert api.http.get("/v1/jobs?status=queued").status_code == 200
            redis.client().config_set("appendfsync", "always")
            until(api.is_ready, 3)
            assert api.submit({"task": "add", "args": [1]}).status_code == 202


def test_a_wrong_setting_is_refused_by_name(tmp_path: Path, shared_database: str) -> None:
    api = Replica(tmp_path, "http://nowhere", shared_database, durability="perhaps")
    assert api.launch().wait(20) == 2
    assert {line.partition(":")[0] for line in api.output().splitlines()} == {"MILLPOND_REDIS_URL", "MILLPOND_DURABILITY"}


def test_every_line_of_the_log_is_json(tmp_path: Path, shared_database: str, redis_url: str) -> None:
    with Replica(tmp_path, redis_url, shared_database, log_level="debug") as api:
        api.http.get("/v1/jobs/x")
        with api.connect() as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            connection.recv(1000)
        assert api.stop() == 0
        lines = [json.loads(line) for line in api.output().splitlines()]
    assert {"api_started", "request_answered", "api_stopped"} <= {line["event"] for line in lines}
    assert {line["service"] for line in lines} == {"api"}
