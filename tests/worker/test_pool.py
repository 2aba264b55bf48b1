"""The pool alone: interrupts at every possible moment, and what is left behind."""

import os
import random
import threading
from dataclasses import fields
from time import monotonic, perf_counter, sleep
from typing import Any

import pytest

from millpond.moves import Claimed
from millpond.task import Task
from tests.until import until
from worker.inbox import Ended, Inbox
from worker.orders import Orders
from worker.pool import Pool
from worker.run import Run
from worker.stop import Interrupt, Stop


def turn(seconds: float) -> int:
    """Python bytecode for so long: interruptible anywhere."""
    until, count = perf_counter() + seconds, 0
    while perf_counter() < until:
        count += 1
    return count


def swallow(seconds: float) -> None:
    """Ignore whatever is raised."""
    until = monotonic() + seconds
    while monotonic() < until:
        try:
            sleep(0.005)
        except Interrupt:
            continue


def pool_of(slots: int, inbox: Inbox) -> Pool:
    """A pool of threads."""
    texts: dict[str, Any] = {"worker": "w", "redis_url": "", "pool": "thread", "log_level": "info", "failpoint": ""}
    told: dict[str, Any] = {one.name: 0 for one in fields(Orders)} | texts | {"slots": slots, "max_result_bytes": 1_000_000}
    orders = Orders(**told | {"queues": (), "tasks": ()})
    return Pool(orders, {}, inbox)


def run_of(function: object, seconds: float, number: int = 0) -> Run:
    run = Run(Claimed(f"job-{number}", "1", {}), Task(name="t", function=function), [seconds], {})  # type: ignore[arg-type]
    run.begin()
    return run


def policy_in(pool: Pool, inbox: Inbox) -> int:
    """How the kernel schedules a thread of the pool."""
    found: list[int] = []
    pool.start(run_of(lambda _: found.append(os.sched_getscheduler(0)), 0.0))
    assert inbox.take(timeout_s=5)
    return found[0]


def test_threads_go_after_the_loop(inbox: Inbox) -> None:
    assert policy_in(pool_of(1, inbox), inbox) == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == os.SCHED_OTHER, "the loop's"


def test_threads_work_where_they_may_not_go_after_the_loop(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert policy_in(pool_of(1, inbox), inbox) == os.SCHED_OTHER


def test_interrupts_at_random_moments_lose_no_end_and_no_thread(monkeypatch: pytest.MonkeyPatch, inbox: Inbox) -> None:
    """5,000 short functions, a third of them told to end at some moment before, inside or after their run."""
    broken: list[object] = []
    monkeypatch.setattr(threading, "excepthook", broken.append)
    chance = random.Random(7)
    pool = pool_of(4, inbox)
    begun = 0
    ends: list[Ended] = []
    deadline = monotonic() + 60
    while len(ends) < 5_000 and monotonic() < deadline:
        while pool.free and begun < 5_000:
            pool.start(run_of(turn, chance.random() * 0.0003, begun))
            begun += 1
        for run in list(pool.runs):
            if chance.random() < 0.3:
                pool.stop(run, Stop.CANCELED)
        for message in inbox.take(0.002):
            assert isinstance(message, Ended)
            pool.end(message.run)
            ends.append(message)
    assert not broken
    assert len({end.run.key for end in ends}) == len(ends) == 5_000
    kinds = {kind: sum(end.outcome.status == kind for end in ends) for kind in ("finished", "canceled")}
    assert sum(kinds.values()) == 5_000
    assert min(kinds.values()) > 100


def test_what_was_left_behind_has_no_slot_and_tells_of_its_end(inbox: Inbox) -> None:
    pool = pool_of(2, inbox)
    run = run_of(swallow, 0.5)
    pool.start(run)
    until(lambda: run.handle._thread, 5, "it runs")
    pool.stop(run, Stop.TIMEOUT)
    assert pool.leave(run)
    assert (pool.free, pool.worn) == (2, True)
    [message] = inbox.take(5)
    assert isinstance(message, Ended)
    pool.end(run)
    assert (pool.free, pool.worn) == (2, False)


def test_what_has_just_ended_cannot_be_left_behind(inbox: Inbox) -> None:
    pool = pool_of(1, inbox)
    run = run_of(turn, 0.0)
    pool.start(run)
    [message] = inbox.take(5)
    assert isinstance(message, Ended)
    pool.stop(run, Stop.TIMEOUT)
    assert not pool.leave(run)
    assert message.outcome.status == "finished"
