"""A loop that never waits: whoever has it does."""

import asyncio
import math
import select
import socket
import time
from collections.abc import Iterator

import pytest

from worker.turned import TurnedLoop


@pytest.fixture
def loop() -> Iterator[TurnedLoop]:
    loop = TurnedLoop()
    yield loop
    loop.close()


def test_a_turn_does_all_that_leads_on_and_waits_for_nothing(loop: TurnedLoop) -> None:
    done: list[str] = []

    def first() -> None:
        done.append("first")
        loop.call_later(0, lambda: loop.call_soon(done.append, "second"))

    loop.call_soon(first)
    loop.call_later(60, done.append, "never")
    began = time.monotonic()
    loop.turn()
    assert done == ["first", "second"]
    assert time.monotonic() - began < 30


def test_it_says_when_to_turn_it_next(loop: TurnedLoop) -> None:
    loop.turn()
    assert loop.next_at == math.inf
    timer = loop.call_later(60, print)
    loop.turn()
    assert loop.next_at == pytest.approx(timer.when(), abs=5)
    loop.call_soon(timer.cancel)
    assert loop.next_at == 0.0
    loop.turn()
    assert loop.next_at == math.inf


def test_its_bell_rings_when_something_has_come(loop: TurnedLoop) -> None:
    heard: list[bytes] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        loop.add_reader(ours, lambda: heard.append(ours.recv(9)))
        loop.turn()
        poll = select.poll()
        poll.register(loop.fileno(), select.POLLIN)
        assert not poll.poll(0)
        theirs.send(b"word")
        assert poll.poll(5_000)
        loop.turn()
        assert heard == [b"word"]
        assert not poll.poll(0)
        loop.remove_reader(ours)


def test_what_must_be_finished_is_waited_for(loop: TurnedLoop) -> None:
    loop.turn()
    later: asyncio.Future[str] = loop.create_future()
    loop.call_later(0.01, later.set_result, "done")
    assert loop.finish(later) == "done"
    loop.turn()
    assert loop.next_at == math.inf
