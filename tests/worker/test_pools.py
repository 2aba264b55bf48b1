"""What a function may do to its pool, with every other slot busy: the right end for it, nothing for the others, no slot lost."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from millpond import broker, moves
from tests.processes import children, exists
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill, Worker

POOLS = ("thread", "process", "gevent")
SLOTS = 4

Ends = tuple[str, str]  # state, error code or reason


@dataclass
class Crowd:
    """A worker of one pool, all of whose slots but one hold jobs that wait for `gate`."""

    pool: str
    mill: Mill
    worker: Worker
    gate: Path
    waiting: list[str]
    files: int

    @classmethod
    def gather(cls, pool: str, mill: Mill, worker: Worker, folder: Path) -> "Crowd":
        gate = folder / "gate"
        waiting = mill.submit_many("hold", [(str(gate),)] * (SLOTS - 1))
        for id in waiting:
            mill.wait(id, "started")
        mill.result(mill.submit("doze", mill.file, 0.0))  # its loop keeps three files open
        until(lambda: any(one["cmd"] == "blpop" for one in mill.client.client_list()), 5, "it sleeps, on a connection of its own")
        return cls(pool, mill, worker, gate, waiting, _files(worker))

    def undisturbed(self) -> None:
        """Those that wait still run for the first time."""
        jobs = [self.mill.job(id) for id in self.waiting]
        assert [(job["state"], job["attempt"], "deaths" in job) for job in jobs] == [("started", "1", False)] * len(jobs)
        assert self.mill.result(self.mill.submit("echo", 2)) == 2  # and the last slot is free


def _files(worker: Worker) -> int:
    return len(os.listdir(f"/proc/{_child(worker)}/fd"))


def _child(worker: Worker) -> int:
    return int(Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()[0])


def _zombies(pid: int) -> list[int]:
    below = [int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]
    return [child for child in below if not exists(child)]


@pytest.fixture(scope="module", params=POOLS)
def crowd(request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with redis_server.client() as client:
        client.flushall()
    folder = tmp_path_factory.mktemp(request.param)
    mill = Mill(redis_server.url, folder)
    with mill.worker(tasks="chores,havoc", pool=request.param, concurrency=SLOTS, prefetch=0) as worker:
        yield Crowd.gather(request.param, mill, worker, folder)
    mill.close()


# Where one process runs many, its end is theirs, too: tests/worker/test_deaths.py.
in_processes_alone = pytest.mark.parametrize("crowd", ["process"], indirect=True)


@pytest.mark.parametrize(
    ("task", "args", "fields", "end"),
    [
        ("spin", ["{notes}", 30.0], {"timeout_ms": 200}, ("failed", "timeout")),
        ("nap", ["{notes}", 1.2], {"timeout_ms": 1_000}, ("failed", "timeout")),
        ("block_loop", ["{notes}", 2.0], {"timeout_ms": 200}, ("failed", "timeout")),
        ("doze", ["{notes}", 30.0], {"timeout_ms": 200}, ("failed", "timeout")),
        ("stubborn", ["{notes}", 4.0], {"timeout_ms": 200}, ("failed", "timeout")),
        ("attentive", [], {"timeout_ms": 200}, ("finished", "")),
        ("fail", [], {}, ("failed", "task_error")),
        ("quit_program", [], {}, ("failed", "task_error")),
        ("hoard", [1 << 30], {}, ("failed", "task_error")),
        ("give", ["big"], {}, ("failed", "result_too_large")),
        ("give", ["set"], {}, ("failed", "result_not_json")),
        ("flood", [20_000], {}, ("finished", "")),
        ("fork", [False], {}, ("finished", "")),
        ("fork", [True], {}, ("finished", "")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_each_ends_as_it_should_and_harms_nobody(crowd: Crowd, task: str, args: list[Any], fields: dict[str, int], end: Ends) -> None:
    id = crowd.mill.submit(task, *(crowd.mill.file if arg == "{notes}" else arg for arg in args), queue="default", **fields)
    job = crowd.mill.wait(id, "finished", "failed")
    assert (job["state"], job.get("error_code", "")) == end
    assert job["attempt"] == "1"
    if task in ("fork", "attentive"):
        assert crowd.mill.result(id) in ("this one", True)
    crowd.undisturbed()


def test_a_running_job_is_canceled(crowd: Crowd) -> None:
    id = crowd.mill.submit("spin", crowd.mill.file, 30.0)
    until(lambda: any(note.job == id for note in crowd.mill.notes("begin")), 10, "it runs")
    assert broker.run(crowd.mill.client, moves.cancel(id)).answer == "wish"
    assert crowd.mill.wait(id, "canceled")["attempt"] == "1"
    crowd.undisturbed()


def test_a_queued_job_is_canceled_and_never_runs(crowd: Crowd) -> None:
    first = crowd.mill.submit("spin", crowd.mill.file, 30.0)
    until(lambda: any(note.job == first for note in crowd.mill.notes("begin")), 10, "it runs")
    second = crowd.mill.submit("spin", crowd.mill.file, 30.0)
    for id in (second, first):
        broker.run(crowd.mill.client, moves.cancel(id))
        crowd.mill.wait(id, "canceled")
    assert not any(note.job == second for note in crowd.mill.notes())
    crowd.undisturbed()


def test_no_success_is_taken_for_a_time_out(crowd: Crowd, full: bool) -> None:
    """Functions that return as their time ends. What was interrupted, was so in its own code, or before it began, or was killed."""
    task = "yields" if crowd.pool == "gevent" else "brink"
    ids = crowd.mill.submit_many(task, [(crowd.mill.file, 0.03)] * (1_000 if full else 20), timeout_ms=30)
    for id in ids:
        if crowd.mill.wait(id, "finished", "failed", timeout_s=120)["state"] == "failed":
            error = crowd.mill.error(id)
            begun = any(note.job == id for note in crowd.mill.notes("brink"))
            assert error["code"] == "timeout"
            assert "havoc.py" in error["traceback"] or not begun or error["traceback"] == ""
    crowd.undisturbed()


@pytest.mark.parametrize("how", ["exit", "abort", "segv"])
@in_processes_alone
def test_what_ends_its_own_process_harms_nobody(crowd: Crowd, how: str) -> None:
    id = crowd.mill.submit("end", how)
    message = crowd.mill.error(id, timeout_s=20)["message"]
    signals = {"exit": "exit status 7", "abort": "SIGABRT", "segv": "SIGSEGV"}
    assert message == f"The process that ran it died: {signals[how]}."
    job = crowd.mill.job(id)
    assert (job["error_code"], job["attempt"], job["deaths"], job["crashes"]) == ("crashed", "3", "3", "3")
    crowd.undisturbed()


@in_processes_alone
def test_what_hears_nothing_is_killed_with_its_process(crowd: Crowd, tmp_path: Path) -> None:
    id = crowd.mill.submit("loop_in_c", str(tmp_path / "began"), timeout_ms=200)
    assert crowd.mill.error(id)["code"] == "timeout"
    assert crowd.mill.job(id)["attempt"] == "1"
    crowd.undisturbed()


def test_nothing_is_left_of_all_that(crowd: Crowd) -> None:
    crowd.gate.touch()
    assert [crowd.mill.result(id) for id in crowd.waiting] == [1] * len(crowd.waiting)
    assert "child_leaving" not in crowd.worker.events()
    ids = crowd.mill.submit_many("nap", [(crowd.mill.file, 0.5)] * SLOTS)
    until(lambda: all(crowd.mill.state(id) == "started" for id in ids), 10, "all slots are back")
    for id in ids:
        crowd.mill.wait(id)
    until(lambda: _files(crowd.worker) <= crowd.files, 10, "no file stays open")
    runners = {"thread": 0, "process": SLOTS, "gevent": 1}[crowd.pool]
    until(lambda: len(children(_child(crowd.worker))) == runners, 10, f"{runners} runners")
    assert _zombies(_child(crowd.worker)) == []
    assert crowd.worker.stop() == 0
    assert not crowd.mill.held()


@pytest.mark.parametrize("pool", POOLS)
def test_the_articles_ways_work_in_every_pool(mill: Mill, pool: str) -> None:
    with mill.worker(tasks="clusters", pool=pool, concurrency=3):
        calls = {"threads": 8, "processes": 8, "gevent": 2}  # in a row
        ids = {way: mill.submit(f"cluster_info_{way}", None, 0.05) for way in calls}
        for way, id in ids.items():
            found = mill.result(id, timeout_s=30)
            assert [cluster["cluster_id"] for cluster in found] == [1, 2, 3, 4]
            assert all(cluster["seconds"] >= calls[way] * 0.05 for cluster in found)
