"""What a job costs, counted: round trips and connections. Its memory: tests/worker/test_memory.py."""

import math
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Thread
from time import monotonic
from typing import Any

import pytest

from millpond import broker, moves
from millpond.task import Task
from tests.pace import within
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill
from worker.claims import Claims
from worker.counts import Counts
from worker.deadlines import Deadlines
from worker.desk import Desk, Me
from worker.displays import Displays
from worker.finishes import Finishes
from worker.inbox import Inbox, Spoke, Told
from worker.leases import Leases
from worker.loop import Loop, Parts
from worker.orders import Orders
from worker.pipe import Pipe
from worker.pool import Pool
from worker.reports import Reports
from worker.run import Ears, Run
from worker.shared import Shared
from worker.starts import Starts
from worker.voice import LogLimits
from worker.waker import Waker
from worker.will import Will
from worker.wire import Request, Wire

MOVES = ("claim", "start", "finish", "hand_back")
CONNECTIONS = 5  # parent: moves, commands; child: moves, waker, publisher
STALLS = 2  # connections made anew because this machine stood still for a second


def trips(proxy: RedisProxy) -> int:
    """Round trips that jobs cause, and not time alone (heartbeats, comparisons, waits for a token that does not come)."""
    return sum(proxy.turns[name] for name in MOVES)


def requests(proxy: RedisProxy) -> int:
    """Script calls that jobs cause."""
    return sum(proxy.counts[name] for name in MOVES)


class ToldWire(Wire):
    """Says what is written, and what is answered."""

    def __init__(self, url: str, done: list[str]) -> None:
        super().__init__(url)
        self._done = done

    def write(self, requests: Sequence[Request[Any]]) -> None:
        super().write([Request(one.call, partial(self._answered, one), one.urgent) for one in requests])
        self._done += [one.call.script.name for one in requests]

    def _answered(self, request: Request[Any], answer: Any) -> None:
        self._done.append(f"answered {request.call.script.name}")
        request.answered(answer)


class ToldPool(Pool):
    """Says when a function is called."""

    def __init__(self, orders: Orders, tasks: Mapping[str, Task], inbox: Inbox, done: list[str]) -> None:
        super().__init__(orders, tasks, inbox)
        self._done = done

    def start(self, run: Run) -> None:
        self._done.append("call")
        super().start(run)


@contextmanager
def loop_on(mill: Mill, inbox: Inbox) -> Iterator[list[str]]:
    """A child's loop in a thread of this process, with 20 threads of its own, asleep. Answers what it did since, in order: the name
    of a move as it writes it, "answered ..." as it has the answer, and "call" as it calls a function."""
    broker.run(mill.client, moves.register("w", 1, ["default"], {}))
    mill.client.set("mp:alive:w", "1")
    ours, theirs = socket.socketpair()
    done: list[str] = []
    wire = ToldWire(mill.url, done)
    tasks = {"echo": Task(name="echo", function=lambda value: value)}
    limits: dict[str, Any] = {"slots": 20, "prefetch": -1, "runner_jobs": 0, "runner_memory_mb": 0, "max_result_bytes": 1_000}
    logs: dict[str, Any] = {"log_level": "info", "max_log_lines": 10, "max_log_bytes": 1_000, "measured": False}
    place: dict[str, Any] = {"worker": "w", "generation": 1, "alone": False, "parent": 0, "redis_url": mill.url}
    orders = Orders(**limits, **logs, **place, queues=("default",), tasks=(), pool="thread", pipe=0, shared=0, will=0, failpoint="")
    ears = Ears(LogLimits(10, 1_000), lambda run: inbox.put(Spoke(run)))
    desk = Desk(Me("w", 1, ("default",)), ToldPool(orders, tasks, inbox, done), Shared.make(), Will.make(), ears)
    desk.shared.confirmed_at = math.inf
    waker = Waker(mill.url, ("default",))
    claims = Claims(desk, waker, -1)
    pipe, finishes = Pipe(theirs), Finishes(desk, lambda id: None)
    parts = Parts(
        Starts(desk, tasks),
        Displays(desk),
        Reports(desk),
        finishes,
        Leases(desk, claims),
        claims,
        Deadlines(desk),
        Counts(desk, pipe),
    )
    thread = Thread(target=Loop(desk, wire, inbox, pipe, parts).run)
    thread.start()
    try:
        until(lambda: mill.client.scard("mp:idle:default"), 5, "the child sleeps")
        yield done
    finally:
        inbox.put(Told(["drain"]))
        thread.join(10)
        ours.close()
        theirs.close()
        desk.will.close()


def test_a_job_that_comes_alone_is_waited_for_once(mill: Mill, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.leases.EVERY_S", 1_000.0)  # what time costs, not jobs
    with loop_on(mill, inbox) as done:
        for number in range(30):
            until(lambda: mill.client.scard("mp:idle:default"), 5, "the child sleeps", every_s=0.001)
            done.clear()
            assert mill.result(mill.submit("echo", number)) == number
            first = done.index("claim")  # the answer of the one before may come late
            assert [one for one in done[first:] if one in ("claim", "answered claim", "start", "call", "finish")][:5] == [
                *("claim", "answered claim"),  # what is waited for
                *("start", "call"),  # marked before it begins (rule 3)
                "finish",
            ]
            assert "answered start" not in done[done.index("start") : done.index("call")], "its mark's answer is not waited for"


def test_one_job_at_a_time_costs_three_requests_and_no_connection(redis_server: RedisServer, mill: Mill) -> None:
    with RedisProxy(redis_server.port) as proxy, mill.worker(url=proxy.url):
        mill.result(mill.submit("echo", 0))
        until(lambda: proxy.accepted >= CONNECTIONS, 10, "all its connections are made")
        before, made = requests(proxy), proxy.accepted
        for number in range(30):
            until(lambda: mill.client.scard("mp:idle:default"), 5, "the child sleeps", every_s=0.001)
            mill.result(mill.submit("echo", number))
        # A token wakes it; then: claim, start, finish. A fourth, a claim that finds nothing, comes only where the machine stood still.
        assert requests(proxy) - before <= 30 * 3.5
        assert proxy.accepted - made <= STALLS


def test_many_jobs_cost_a_tenth_of_a_round_trip_each(redis_server: RedisServer, mill: Mill) -> None:
    with RedisProxy(redis_server.port) as proxy:
        ids = mill.submit_many("noop", [()] * 2_000)
        with mill.worker(url=proxy.url):
            until(lambda: mill.client.zcard("rq:finished:default") == len(ids), 60, "all ran")
            assert trips(proxy) <= 0.1 * len(ids)
            assert requests(proxy) <= 0.25 * len(ids), "twenty a call: claim, start, finish"
            assert proxy.counts["display"] <= within(4), "of what began before it was known how short they are, and of what stood still"
            assert proxy.accepted <= CONNECTIONS + STALLS


def test_who_says_nothing_costs_nothing_and_lines_travel_together(redis_server: RedisServer, mill: Mill) -> None:
    with RedisProxy(redis_server.port) as proxy, mill.worker(url=proxy.url, concurrency=10):
        for id in mill.submit_many("noop", [()] * 200):
            mill.wait(id)
        assert proxy.counts["report"] == 0
        ids = mill.submit_many("chatter", [(100, 0.005)] * 10)
        began = monotonic()
        for id in ids:
            mill.wait(id)
        took_s = monotonic() - began
        assert 0 < proxy.counts["report"] <= took_s / 0.1 + 12, "ten writes a second and one with each end; two before the clock ran"


def test_the_catalogue_is_published_at_once(mill: Mill) -> None:
    with mill.worker():
        until(lambda: mill.client.hexists("mp:catalogue", "nap"), 5, "the API can know its tasks")
