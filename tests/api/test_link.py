"""The link to Redis: one write, one read; what is lost is told apart, and a late reply is never another's."""

from collections.abc import AsyncIterator

import pytest
import redis

from api.link import Link
from millpond import moves
from millpond.errors import NotDone, OutcomeUnknown
from tests.api.hand import Hand
from tests.processes import free_port
from tests.proxy import RedisProxy


@pytest.fixture
async def link(proxy: RedisProxy, hand: Hand) -> AsyncIterator[Link]:
    link = Link(proxy.url, timeout_s=0.5)
    await link.open()
    yield link
    link.close()


async def test_calls_and_commands_are_answered_in_order(link: Link, proxy: RedisProxy, hand: Hand) -> None:
    await link.exchange([moves.pause("a")])
    before = proxy.turns["pause"]
    paused, resumed, echoed, refused = await link.exchange([moves.pause("a"), moves.resume("a")], [("ECHO", "x"), ("NONSENSE",)])
    assert (paused, resumed, echoed) == (0, 1, b"x")
    assert isinstance(refused, Exception)
    assert proxy.turns["pause"] - before == 1


async def test_a_forgotten_script_is_sent_again_with_what_follows_it(link: Link, hand: Hand) -> None:
    hand.client.script_flush()
    assert await link.exchange([moves.pause("a"), moves.resume("a")], [("ECHO", "x")]) == [1, 1, b"x"]


async def test_an_idle_connection_that_redis_closed_is_made_again(link: Link, proxy: RedisProxy, hand: Hand) -> None:
    accepted = proxy.accepted
    hand.client.client_kill_filter(_type="normal", skipme=True)
    for _ in range(2):
        try:
            await link.open()
            assert await link.exchange([moves.pause("a")]) in ([0], [1])
            break
        except OutcomeUnknown:
            continue  # it was written before the end of the connection was heard
    assert proxy.accepted == accepted + 1


@pytest.mark.parametrize("mode", ["close", "silent"])
async def test_a_lost_reply_is_unknown_and_its_connection_is_left(link: Link, proxy: RedisProxy, mode: str) -> None:
    proxy.swallow("pause", mode=mode)  # type: ignore[arg-type]
    with pytest.raises(OutcomeUnknown):
        await link.exchange([moves.pause("a")])
    await link.open()
    assert await link.exchange([moves.resume("a")]) == [1]


async def test_nobody_there_is_not_done(hand: Hand) -> None:
    with pytest.raises(NotDone):
        await Link(f"redis://127.0.0.1:{free_port()}/0").open()


async def test_a_full_redis_is_not_done_and_another_error_is_told(link: Link, hand: Hand) -> None:
    hand.client.config_set("maxmemory", "1mb")
    try:
        with pytest.raises(NotDone):
            await link.exchange([moves.submit([moves.Submission("a", "default", b"[]", {})], 24)])
    finally:
        hand.client.config_set("maxmemory", "0")
    broken = moves.Call(moves.pause("a").script, [], int)
    with pytest.raises(redis.ResponseError):
        await link.exchange([broken])
