"""Thousands of clients wait at once on one replica with one Redis subscription (DESIGN, must show 3)."""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from millpond import broker, codec, keys, moves
from millpond.job import new_id
from tests.api.crowd import Answer, Crowd
from tests.api.gauges import gauges, stalls
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.pace import within
from tests.until import until

FULL, FEW = 5000, 100
BOUNDS = ("0.02", "0.05", "0.1")


@pytest.fixture
def replica(redis_url: str, hand: Hand, shared_database: str, tmp_path: Path) -> Iterator[Replica]:
    """One that nobody else uses."""
    with Replica(tmp_path, redis_url, shared_database) as replica:
        until(replica.is_ready, 5)
        yield replica
        replica.stop()


def submit_all(hand: Hand, number: int) -> list[str]:
    data = codec.encode_payload("add", [1], {})
    jobs = [moves.Submission(new_id(), "default", data, {"task": "add"}) for _ in range(number)]
    for at in range(0, number, 250):
        broker.run(hand.client, moves.submit(jobs[at : at + 250], 24))
    return [job.id for job in jobs]


def begin_all(hand: Hand, number: int) -> list[moves.Claimed]:
    held: list[moves.Claimed] = []
    while len(held) < number:
        held += hand.begin(min(250, number - len(held)))
    return held


def end_all(hand: Hand, held: Sequence[moves.Claimed], at_once: int, every_s: float) -> None:
    """Finish so many jobs, again and again, at an even pace."""
    begun, never = time.monotonic(), threading.Event()
    for turn, at in enumerate(range(0, len(held), at_once)):
        never.wait(max(0.0, begun + turn * every_s - time.monotonic()))
        hand.finish(*held[at : at + at_once], result=1)


def noted(hand: Hand, ids: Sequence[str]) -> set[bytes]:
    """The channels on which the ends of these jobs will be told; empty if one is not yet waited for."""
    pipe = hand.client.pipeline(transaction=False)
    for id in ids:
        pipe.hget(keys.job(id), "waiters")
    channels: set[bytes | None] = set(pipe.execute())
    return {one for one in channels if one} if None not in channels else set()


async def watch_all_end(replica: Replica, hand: Hand, size: int, at_once: int, full: bool) -> list[Answer]:
    ids = submit_all(hand, size)
    async with Crowd(replica, ids) as crowd:
        await asyncio.to_thread(until, lambda: gauges(replica)["millpond_waiting_requests"] == size, 30, "all wait")
        channels = await asyncio.to_thread(until, lambda: noted(hand, ids), 30, "Redis was told of all")
        assert hand.client.pubsub_numsub(*channels) == [(channels.pop(), 1)]
        held = await asyncio.to_thread(begin_all, hand, size)
        before = gauges(replica)
        await asyncio.to_thread(end_all, hand, held, at_once, 0.02)
        answers = await crowd.answers(30)
        after = gauges(replica)
    tell(answers, before, after)
    assert after["process_resident_memory_bytes"] < 300e6
    assert not full or stalls(before, after, "cpu", "0.05")[0] == 0, "what we do in one turn of the loop is short"
    assert {(one.status, one.document["status"]) for one in answers} == {(200, "finished")}
    return answers


def tell(answers: Sequence[Answer], before: dict[str, float], after: dict[str, float]) -> None:
    late = sorted(one.late_s for one in answers)
    share = [f"{late[int(len(late) * part)] * 1000:.0f}" for part in (0.5, 0.99)]
    late_turns = [f"{clock} > {bound}: {stalls(before, after, clock, bound)}" for clock in ("cpu", "wall") for bound in BOUNDS]
    print(f"\n{len(late)} answered, p50 {share[0]} ms, p99 {share[1]} ms, last {late[-1] * 1000:.0f} ms after its job's end; {late_turns}")
    used = after["process_cpu_seconds_total"] - before["process_cpu_seconds_total"]
    print(f"the replica used {used:.2f} s of a core and {after['process_resident_memory_bytes'] / 1e6:.0f} MB")


def test_ends_that_are_spread_are_told_at_once(replica: Replica, hand: Hand, full: bool) -> None:
    size = FULL if full else FEW
    answers = asyncio.run(watch_all_end(replica, hand, size, 10, full))
    late = sorted(one.late_s for one in answers)
    assert late[int(size * 0.99)] < (0.1 if full else 1.0)  # a lost message would be a second


def test_all_end_within_a_second(replica: Replica, hand: Hand, full: bool) -> None:
    size = FULL if full else FEW
    answers = asyncio.run(watch_all_end(replica, hand, size, size // 50, full))
    assert max(one.late_s for one in answers) < within(2)
    assert hand.client.scard(keys.OPEN) == size
