"""What ends a process that many share: it takes them along, and only what it does alone is held against anybody (rule 6).

Where each function has its own process, nobody else notices: tests/worker/test_pools.py.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import exists
from tests.until import until
from tests.worker.mill import Mill, Worker, zombies

SLOTS = 8
HOWS = ("abort", "segv", "oom", "exit")


def _suffix(kind: str) -> str:
    return "_on_loop" if kind == "loop" else ""


@pytest.fixture(params=["thread", "gevent", "loop"])
def kind(request: pytest.FixtureRequest) -> str:
    """Who shares: threads, greenlets, coroutines."""
    name: str = request.param
    return name


@pytest.fixture
def worker(mill: Mill, kind: str) -> Iterator[Worker]:
    pool = "thread" if kind == "loop" else kind
    with mill.worker(tasks="chores,havoc,loops", pool=pool, concurrency=SLOTS, prefetch=0) as worker:
        yield worker


@pytest.mark.timeout(180)
def test_it_is_tried_three_times_alone_and_its_neighbours_finish(mill: Mill, kind: str, worker: Worker, tmp_path: Path, full: bool) -> None:
    """Several at once, and neighbours that would not end by themselves. All die twice in company; after that each runs alone, where the
    guilty die three times more and the others none. So a neighbour's attempts are its deaths and one."""
    files = parents_files(worker)
    gate, hows = tmp_path / "gate", HOWS if full or kind == "thread" else HOWS[:2]
    neighbours = mill.submit_many(f"hold{_suffix(kind)}", [(str(gate),)] * 3)
    for id in neighbours:
        mill.wait(id, "started")
    guilty = mill.submit_many(f"end{_suffix(kind)}", [(how,) for how in hows])
    until(lambda: all(int(mill.job(id).get("deaths", 0)) >= 2 for id in guilty), 20, "all of them died twice")
    gate.touch()
    for id in guilty:
        assert mill.error(id, timeout_s=60)["code"] == "worker_died"
        job = mill.job(id)
        assert (job["error_code"], job["attempt"], job["deaths"], job["crashes"]) == ("crashed", "5", "5", "3")
    for id in neighbours:
        attempt, job = mill.result(id, timeout_s=30), mill.job(id)
        assert 1 <= int(job["deaths"]) <= 2
        assert attempt == int(job["deaths"]) + 1
        assert job.get("crashes", "0") == "0"
    is_whole(mill, kind, worker)
    until(lambda: parents_files(worker) <= files, 5, "the parent keeps no file of a dead child")


def parents_files(worker: Worker) -> int:
    return len(os.listdir(f"/proc/{worker.pid}/fd"))


def is_whole(mill: Mill, kind: str, worker: Worker) -> None:
    """All slots are back, and of what died nothing is left."""
    ids = mill.submit_many(f"spin{_suffix(kind)}", [(mill.file, 0.5)] * SLOTS)
    until(lambda: all(mill.state(id) in ("started", "finished") for id in ids), 10, "all begin at once")
    assert {mill.wait(id)["attempt"] for id in ids} == {"1"}
    until(lambda: len(worker.children) == (2 if kind == "gevent" else 1), 15, "the one-slot child leaves")
    until(lambda: not zombies(worker), 5, "all the dead are buried")
    assert {generation for generation, held in mill.held().items() if held} == set()


@pytest.mark.parametrize("task", ["loop_in_c", "loop_in_c_on_loop"])
def test_what_hears_nothing_dies_with_its_child(mill: Mill, tmp_path: Path, task: str) -> None:
    """A loop in C that keeps the GIL: only the parent can end it, when its own time is over (with 4 s for 30)."""
    with mill.worker(tasks="chores,havoc,loops", concurrency=2).with_hang_after(4.0):
        hog = mill.submit(task, str(tmp_path / "began"), timeout_ms=500, rerun="never")
        other = mill.submit("nap", mill.file, 1.0)
        assert mill.wait(hog, "failed", timeout_s=30)["error_code"] == "interrupted"
        assert mill.wait(other, timeout_s=20)["deaths"] == "1"


def test_a_blocked_hub_is_killed_when_something_in_it_must_end(mill: Mill, tmp_path: Path) -> None:
    with mill.worker(tasks="chores,havoc", pool="gevent", concurrency=2) as worker:
        child, hub = worker.children
        other = mill.submit("nap", mill.file, 1.0)
        mill.begun(1)
        hog = mill.submit("loop_in_c", str(tmp_path / "began"), timeout_ms=500)
        assert mill.error(hog)["code"] == "timeout"
        assert mill.job(hog)["attempt"] == "1"
        job = mill.wait(other)
        assert (job["attempt"], job["deaths"]) == ("2", "1")
        assert worker.children[0] == child
        assert not exists(hub)


@pytest.mark.parametrize(("pool", "slots"), [("thread", 20), ("process", 4), ("gevent", 20)])
def test_one_that_aborts_among_sleepers_crashes_and_they_do_not(mill: Mill, pool: str, slots: int, full: bool) -> None:
    slots = 20 if full else slots
    with mill.worker(tasks="chores,havoc", pool=pool, concurrency=slots) as worker:
        mill.client.sadd("mp:paused", "default")  # so that all begin together
        sleepers = mill.submit_many("nap", [(mill.file, 0.2)] * (slots - 1))
        bad = mill.submit("end", "abort")
        mill.client.srem("mp:paused", "default")
        job = mill.wait(bad, "failed", timeout_s=60)
        assert (job["error_code"], job["crashes"]) == ("crashed", "3")
        ends = [mill.wait(id, timeout_s=60) for id in sleepers]
        assert all(end.get("crashes", "0") == "0" for end in ends)
        assert any("deaths" in end for end in ends) == (pool != "process")  # there, nobody else was in its process
        assert len(mill.held()[f"{worker.name}:1"]) == 0
