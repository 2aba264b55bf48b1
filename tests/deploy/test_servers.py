"""The configuration files of Redis and HAProxy, as the servers themselves read them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from api import durability
from millpond import redis_server
from tests.deploy.containers import locked_down
from tests.processes import ROOT, Process, free_port, listens


class Configured(Process):
    """This machine's Redis or Valkey with the file that the containers use, and a folder and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        own = ["--dir", str(folder), "--port", str(self.port), "--bind", "127.0.0.1"]
        super().__init__([*redis_server.command(), ROOT / "ops/redis/redis.conf", *own], folder / "redis.log")

    def ready(self) -> bool:
        return listens(self.port)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with Configured(tmp_path_factory.mktemp("redis")) as server, redis.Redis(port=server.port, decode_responses=True) as client:
        yield client


def test_the_api_finds_redis_durable_as_configured(client: redis.Redis) -> None:
    port = client.connection_pool.connection_kwargs["port"]
    verdict = durability.first_look(f"redis://127.0.0.1:{port}/0", "always")
    assert verdict is not None
    assert verdict.faults == ()
    assert client.config_get("save")["save"] == ""


def test_a_jobs_hash_stays_compact(client: redis.Redis) -> None:
    fields = {"data": "x" * 1000, **{f"field_{number}": "x" * 40 for number in range(60)}}
    client.hset("job", items=[word for field in fields.items() for word in field])
    assert client.object("encoding", "job") == "listpack"


PROXY = (ROOT / "ops/haproxy/haproxy.cfg").read_text()


def test_the_proxy_reads_its_file_without_a_warning(compose_file: dict[str, Any]) -> None:
    path = "/usr/local/etc/haproxy/haproxy.cfg"
    options = ("--user=99:99", f"--volume={ROOT / 'ops/haproxy/haproxy.cfg'}:{path}:ro")
    locked_down(compose_file["services"]["proxy"]["image"], "haproxy", "-dW", "-c", "-f", path, options=options)


def test_the_proxy_repeats_only_what_was_never_sent() -> None:
    assert re.findall(r"retry-on (.*)", PROXY) == ["conn-failure"]


def test_the_proxy_waits_longer_than_the_longest_wait() -> None:
    (patience,) = re.findall(r"timeout server (\d+)s", PROXY)
    assert int(patience) > 60
