"""The subscription of a replica: a quiet line is kept, a dead one is noticed and replaced."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from api import link
from api.subscription import Subscription
from tests.servers import RedisServer
from tests.until import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that can be stopped."""
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One entry for each time that it tried to connect; it looks often."""
    tried: list[object] = []

    async def counted(pool: Any, protocol: Callable[..., Any]) -> Any:
        tried.append(protocol)
        return await take_over(pool, protocol)

    take_over = link.take_over
    monkeypatch.setattr(link, "take_over", counted)
    monkeypatch.setattr("api.subscription._LOOK_S", 0.2)
    return tried


def subscribers(client: redis.Redis) -> list[str]:
    return [one["id"] for one in client.client_list(_type="pubsub")]


def pings(client: redis.Redis) -> int:
    return int(client.info("commandstats").get("cmdstat_ping", {}).get("calls", 0))


async def listen(server: RedisServer, client: redis.Redis, taken: list[object]) -> None:
    heard: list[str] = []
    subscription = Subscription(server.url, "here", heard.append)
    subscription.start()
    await asyncio.to_thread(until, lambda: subscribers(client), 5, "it subscribed")
    asked = pings(client)
    await asyncio.to_thread(until, lambda: pings(client) > asked + 1, 5, "it asks whether the line is alive")
    assert len(taken) == 1, "a quiet line is kept"
    client.publish("here", "one")
    await asyncio.to_thread(until, lambda: heard == ["one"], 5)
    server.pause()
    await asyncio.to_thread(until, lambda: len(taken) > 1, 10, "it tries anew")
    server.resume()
    await asyncio.to_thread(until, lambda: client.publish("here", "two") and "two" in heard, 10, "it hears again")
    client.client_kill_filter(_type="pubsub")
    await asyncio.to_thread(until, lambda: client.publish("here", "three") and "three" in heard, 10, "it hears again after a cut, too")
    await subscription.close()
    await asyncio.to_thread(until, lambda: not subscribers(client), 5, "it left")


def test_a_quiet_line_is_kept_and_a_dead_one_replaced(server: RedisServer, taken: list[object]) -> None:
    with server.client() as client:
        asyncio.run(listen(server, client, taken))
