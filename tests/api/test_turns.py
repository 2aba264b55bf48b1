"""A turn of the loop is short, also when everybody has something to say: what api/turns.py reaches into still works as it says."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tornado import netutil

from api.turns import ACCEPTED_A_TURN, EVENTS_A_TURN, new_loop


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.AbstractEventLoop]:
    monkeypatch.setattr(netutil, "_DEFAULT_BACKLOG", netutil._DEFAULT_BACKLOG)
    loop = new_loop()
    yield loop
    loop.close()


def turn(loop: asyncio.AbstractEventLoop) -> None:
    """One look at the sockets, and what it leads to."""
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_a_turn_takes_some_events_and_the_next_the_others(loop: asyncio.AbstractEventLoop) -> None:
    heard: list[int] = []
    with ExitStack() as stack:
        for number in range(2 * EVENTS_A_TURN):
            here, there = map(stack.enter_context, socket.socketpair())
            there.send(b"x")
            loop.add_reader(here, heard.append, number)
        turn(loop)
        assert len(heard) == EVENTS_A_TURN
        turn(loop)
        assert sorted(heard) == list(range(2 * EVENTS_A_TURN))


def test_a_turn_accepts_some_connections(loop: asyncio.AbstractEventLoop) -> None:
    accepted: list[socket.socket] = []
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        server.setblocking(False)
        for _ in range(2 * ACCEPTED_A_TURN):
            stack.enter_context(socket.create_connection(server.getsockname()))
        loop.call_soon(netutil.add_accept_handler, server, lambda connection, _: accepted.append(stack.enter_context(connection)))
        turn(loop)
        turn(loop)
        assert len(accepted) == ACCEPTED_A_TURN
