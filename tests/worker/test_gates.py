"""A gate over several workers: how many jobs of one key run at once by the tasks' own ledger, how many begin in a second by Redis's
clock, and that what has another key, or none, is not hindered."""

import json
from contextlib import ExitStack
from dataclasses import replace
from itertools import pairwise
from time import monotonic

import pytest

from tests.pace import within
from tests.processes import exists
from tests.until import until
from tests.worker.mill import Keeper, Mill, Worker

AT_ONCE, PER_S, SHORT_S = 3, 50, 0.02
GATE = f"{AT_ONCE} {PER_S} 1000 nap:acme"


def starts_ms(mill: Mill, ids: list[str]) -> list[int]:
    """When each attempt of these jobs began, by Redis's clock, in order."""
    found = []
    for id in ids:
        found += [json.loads(text)["started_ms"] for name, text in mill.job(id).items() if name.startswith("o:")]
    return sorted(found)


def most_in_a_second(starts: list[int]) -> int:
    """The most starts that any second has, whenever it begins."""
    return max(sum(first <= other < first + 1000 for other in starts[at : at + 10 * PER_S]) for at, first in enumerate(starts))


def most_at_once(mill: Mill, ids: set[str], killed: int = 0, at: float = 0.0) -> int:
    """How many functions ran at one instant, by what they wrote themselves. Those in the process that was `killed` wrote no end."""
    said = [note for note in mill.notes() if note.job in ids]
    said += [replace(note, word="killed", at=at) for note in said if note.pid == killed and note.word == "begin"]
    notes = sorted(said, key=lambda note: note.at)
    running: set[tuple[str, int]] = set()
    most = 0
    for note in notes:
        if note.word == "begin":
            running.add((note.job, note.attempt))
        else:
            running.discard((note.job, note.attempt))
        most = max(most, len(running))
    return most


def crew(mill: Mill, stack: ExitStack, replicas: int = 4) -> list[Worker]:
    workers = [stack.enter_context(mill.worker(concurrency=5)) for _ in range(replicas)]
    until(lambda: all(worker.ready() for worker in workers), 20, "all are ready")
    return workers


def all_ended(mill: Mill, ids: list[str]) -> bool:
    with mill.client.pipeline(transaction=False) as pipe:
        for id in ids:
            pipe.hget(f"rq:job:{id}", "state")
        return set(pipe.execute()) == {b"finished"}


@pytest.mark.timeout(120)
def test_four_workers_keep_to_both_limits_of_one_key_and_use_them(mill: Mill, full: bool) -> None:
    seconds = 20 if full else 4
    with ExitStack() as stack:
        crew(mill, stack)
        held = mill.submit_many("nap", [(mill.file, SHORT_S)] * (PER_S * seconds + 1), gate=GATE)
        others = mill.submit_many("nap", [(mill.file, 0.0)] * 100) + mill.submit_many(
            "nap", [(mill.file, 0.0)] * 20, gate="2 0 0 nap:other"
        )
        until(lambda: all_ended(mill, others), 10, "others ended")
        assert not all_ended(mill, held[:PER_S])  # long before those that came first
        until(lambda: all_ended(mill, held), seconds * 2 + 10, "all ended")
    starts = starts_ms(mill, held)
    assert most_in_a_second(starts) <= PER_S
    assert most_at_once(mill, set(held)) <= AT_ONCE
    took_s = (starts[-1] - starts[0]) / 1000

    assert took_s < within(seconds / 0.95)  # the last begins when the allowed time is over
    assert not mill.client.keys("mp:held:*")
    assert not mill.client.keys("mp:run:*")


@pytest.mark.timeout(120)
def test_a_killed_worker_s_turns_are_given_to_others(mill: Mill, full: bool) -> None:
    jobs = 1000 if full else 100
    with ExitStack() as stack:
        stack.enter_context(Keeper(mill.url))
        doomed, *_ = crew(mill, stack)
        ids = mill.submit_many("nap", [(mill.file, SHORT_S)] * jobs, gate=GATE)
        mill.begun(jobs // 3, timeout_s=30)
        [child] = doomed.children
        doomed.kill()
        until(lambda: not exists(child), 5, "it is dead")
        died = monotonic()
        until(lambda: all_ended(mill, ids), jobs / PER_S * 2 + 20, "all ended")
    assert most_in_a_second(starts_ms(mill, ids)) <= PER_S
    assert most_at_once(mill, set(ids), child, died) <= AT_ONCE
    assert not mill.client.keys("mp:run:*")


def test_one_at_once_is_handed_on_without_a_pause(mill: Mill, worker: Worker, full: bool) -> None:
    mill.result(mill.submit("echo", 0))
    began = monotonic()
    ids = mill.submit_many("nap", [(mill.file, 0.0)] * (100 if full else 30), gate="1 0 0 nap")
    until(lambda: all_ended(mill, ids), 10, "all ended")
    assert monotonic() - began < within(2)
    assert most_at_once(mill, set(ids)) == 1
    assert [note.job for note in mill.notes("begin")] == ids


def test_a_slow_rate_wakes_a_sleeping_worker_on_time(mill: Mill, worker: Worker) -> None:
    ids = mill.submit_many("nap", [(mill.file, 0.0)] * 4, gate="0 1 400 nap")
    until(lambda: all_ended(mill, ids), 10, "all ended")
    starts = starts_ms(mill, ids)
    gaps = [later - first for first, later in pairwise(starts)]
    assert min(gaps) > 400
    assert sum(gaps) < within(1500)
