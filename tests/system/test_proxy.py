"""The proxy itself: what it loses, holds and counts is what it says."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.proxy import RedisProxy
from tests.resp import Frames, words
from tests.until import until


@pytest.fixture
def proxy(redis_url: str) -> Iterator[RedisProxy]:
    with RedisProxy(urlsplit(redis_url).port or 6379) as proxy:
        yield proxy


@pytest.fixture
def direct(redis_url: str) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(redis_url)
    client.flushall()
    yield client
    client.close()


def request(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)


def through(proxy: RedisProxy) -> redis.Redis:
    return redis.Redis(port=proxy.port, socket_timeout=0.3, retry=Retry(NoBackoff(), 0))


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_frames_are_cut_whatever_way_they_arrive(step: int) -> None:
    whole = [
        b"*2\r\n$3\r\nGET\r\n$5\r\n\r\n\r\n\r\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"*0\r\n",
        b"%1\r\n+a\r\n*2\r\n:1\r\n_\r\n",
        b"|1\r\n+ttl\r\n:5\r\n~1\r\n#t\r\n",
        b">2\r\n+message\r\n=7\r\ntxt:abc\r\n",
        b"-ERR no\r\n",
    ]
    stream, frames, found = b"".join(whole), Frames(), []
    for at in range(0, len(stream), step):
        found += frames.feed(stream[at : at + step])
    assert found == whole
    assert words(whole[0], 9) == [b"GET", b"\r\n\r\n\r"]


def test_a_swallowed_request_is_done_and_nobody_hears_of_it(proxy: RedisProxy, direct: redis.Redis) -> None:
    client = through(proxy)
    rule = proxy.swallow("incrby", 2)
    with pytest.raises(redis.ConnectionError):  # the first is closed
        client.incr("n")
    with pytest.raises(redis.TimeoutError):  # the second stays silent
        client.incr("n")
    assert (client.incr("n"), direct.get("n")) == (3, b"3")
    assert (rule.left, rule.dropped, proxy.counts["incrby"]) == (0, 2, 3)


def test_replies_before_the_swallowed_one_arrive_and_those_after_it_do_not(proxy: RedisProxy, direct: redis.Redis) -> None:
    proxy.swallow("incrby", mode="silent")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3) as client:
        client.sendall(request("SET", "a", "1") + request("INCRBY", "a", "1") + request("SET", "b", "1"))
        assert client.recv(100) == b"+OK\r\n"
        with pytest.raises(TimeoutError):
            client.recv(100)
        until(lambda: direct.get("b") == b"1", message="what came after was passed on")


def test_a_held_request_reaches_redis_when_it_is_released_though_its_sender_left(proxy: RedisProxy, direct: redis.Redis) -> None:
    held = proxy.hold("set", nth=2, match=lambda request: request[1] == b"key")
    client = through(proxy)
    client.set("other", 1)
    client.set("key", 1)
    with pytest.raises(redis.TimeoutError):
        client.set("key", 2)
    assert held.caught.is_set()
    client.set("key", 3)
    assert direct.get("key") == b"3"
    assert held.release() == b"+OK\r\n"
    assert direct.get("key") == b"2"
    until(lambda: proxy.open == 1, message="the link of the sender that left is closed")


def test_it_counts_requests_round_trips_and_connections(proxy: RedisProxy, direct: redis.Redis) -> None:
    client = through(proxy)
    with client.pipeline(transaction=False) as pipe:
        for key in "abc":
            pipe.get(key)
        pipe.execute()
    client.get("a")
    client.eval("return 1", 0)
    assert (proxy.counts["get"], proxy.turns["get"], proxy.senders["get"], proxy.accepted) == (4, 2, 1, 1)
    assert proxy.counts["eval"] == 1  # a text that is none of ours


def test_a_cut_connection_is_made_again(proxy: RedisProxy, direct: redis.Redis) -> None:
    client = through(proxy)
    client.ping()
    proxy.cut()
    until(lambda: proxy.open == 0)
    assert client.incr("n") == 1
    assert proxy.accepted == 2
