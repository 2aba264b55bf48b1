"""What a function may do to its pool, with every other slot busy: the right end for it, nothing for the others, no slot lost.

A process that many share is another matter: what ends that, ends them all (tests/worker/test_shared_fate.py).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from millpond import broker, moves
from tests.processes import children
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill, Worker, open_files, zombies

LOOP = "loop"  # no pool of plain functions: coroutines, beside a pool of threads
POOLS = ("thread", "process", "gevent", LOOP)
COROUTINES = ("doze", "block_loop")  # on the loop in any case
SLOTS = 4


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
        crowd = cls(pool, mill, worker, gate, [], 0)
        crowd.waiting = mill.submit_many(crowd.task("hold"), [(str(gate),)] * (SLOTS - 1), timeout_ms=600_000)
        for id in crowd.waiting:
            mill.wait(id, "started")
        mill.result(mill.submit("doze", mill.file, 0.0))  # its loop keeps three files open
        until(lambda: any(one["cmd"] == "blpop" for one in mill.client.client_list()), 5, "it sleeps, on a connection of its own")
        crowd.files = open_files(worker)
        return crowd

    def task(self, name: str) -> str:
        """The task that does that here."""
        return f"{name}_on_loop" if self.pool == LOOP and name not in COROUTINES else name

    def submit(self, task: str, args: tuple[Any, ...], timeout_ms: int = 60_000) -> str:
        told = (self.mill.file if arg == "{notes}" else arg for arg in args)
        return self.mill.submit(self.task(task), *told, timeout_ms=timeout_ms)

    def runs(self, id: str) -> None:
        """Wait until its function runs."""
        until(lambda: any(note.job == id for note in self.mill.notes("begin")), 10, "it runs")

    def undisturbed(self) -> None:
        """Those that wait still run for the first time."""
        jobs = [self.mill.job(id) for id in self.waiting]
        assert [(job["state"], job["attempt"], "deaths" in job) for job in jobs] == [("started", "1", False)] * len(jobs)
        assert self.mill.result(self.mill.submit("echo", 2)) == 2  # and the last slot is free


@pytest.fixture(scope="module", params=POOLS)
def crowd(request: pytest.FixtureRequest, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with redis_server.client() as client:
        client.flushall()
    folder = tmp_path_factory.mktemp(request.param)
    mill = Mill(redis_server.url, folder)
    pool = "thread" if request.param == LOOP else request.param
    with mill.worker(tasks="chores,havoc,loops", pool=pool, concurrency=SLOTS, prefetch=0) as worker:
        yield Crowd.gather(request.param, mill, worker, folder)
    mill.close()


in_processes_alone = pytest.mark.parametrize("crowd", ["process"], indirect=True)


@dataclass(frozen=True)
class Case:
    """A task, and how its job ends: state, error code. `result`: what a finished one returned; None: it is not asked."""

    task: str
    args: tuple[Any, ...] = ()
    state: str = "failed"
    code: str = ""
    timeout_ms: int = 60_000
    result: Any = None

    def __str__(self) -> str:
        return "-".join([self.task, *(str(arg) for arg in self.args if type(arg) in (str, bool) and arg != "{notes}")])


CASES = [
    Case("spin", ("{notes}", 30.0), "failed", "timeout", timeout_ms=200),
    Case("doze", ("{notes}", 30.0), "failed", "timeout", timeout_ms=200),
    Case("block_loop", ("{notes}", 2.0), "failed", "timeout", timeout_ms=200),
    Case("stubborn", ("{notes}", 4.0), "failed", "timeout", timeout_ms=200),
    Case("attentive", ("{notes}",), "finished", timeout_ms=200, result=True),
    Case("fail", (), "failed", "task_error"),
    Case("quit_program", (), "failed", "task_error"),
    Case("hoard", (1 << 30,), "failed", "task_error"),
    Case("give", ("big",), "failed", "result_too_large"),
    Case("give", ("set",), "failed", "result_not_json"),
    Case("flood", (20_000,), "finished", result=20_000),
    Case("fork", (False,), "finished", result="this one"),
    Case("fork", (True,), "finished", result="this one"),
]
# A call in C that returns after its function's time: the interrupt meets the function in its next line, but a coroutine has none
# where it could, and has returned before its loop hears of anything.
SLOW = Case("nap", ("{notes}", 0.9), "failed", "timeout", timeout_ms=400)
SLOW_ON_LOOP = Case("nap", ("{notes}", 0.9), "finished", timeout_ms=400)


@pytest.mark.parametrize("case", [*CASES, SLOW], ids=str)
def test_each_ends_as_it_should_and_harms_nobody(crowd: Crowd, case: Case) -> None:
    if case is SLOW and crowd.pool == LOOP:
        case = SLOW_ON_LOOP
    id = crowd.submit(case.task, case.args, timeout_ms=case.timeout_ms)
    job = crowd.mill.wait(id, "finished", "failed")
    assert (job["state"], job.get("error_code", ""), job["attempt"]) == (case.state, case.code, "1")
    assert case.result is None or crowd.mill.result(id) == case.result
    crowd.undisturbed()


@pytest.mark.parametrize(("task", "state"), [("spin", "canceled"), ("attentive", "finished")])
def test_a_running_job_is_canceled(crowd: Crowd, task: str, state: str) -> None:
    """What returns when it is told to stop has succeeded."""
    id = crowd.submit(task, ("{notes}", 30.0) if task == "spin" else ("{notes}",))
    crowd.runs(id)
    assert broker.run(crowd.mill.client, moves.cancel(id)).answer == "wish"
    assert crowd.mill.wait(id, "canceled", "finished")["attempt"] == "1"
    assert crowd.mill.state(id) == state
    crowd.undisturbed()


def test_a_queued_job_is_canceled_and_never_runs(crowd: Crowd) -> None:
    first = crowd.submit("spin", ("{notes}", 30.0))
    crowd.runs(first)
    second = crowd.submit("spin", ("{notes}", 30.0))
    for id in (second, first):
        broker.run(crowd.mill.client, moves.cancel(id))
        crowd.mill.wait(id, "canceled")
    assert crowd.mill.job(second).get("attempt", "0") == "0"
    assert not any(note.job == second for note in crowd.mill.notes())
    crowd.undisturbed()


@pytest.mark.timeout(300)
def test_no_success_is_taken_for_a_time_out(crowd: Crowd, full: bool) -> None:
    """Functions that return as their time ends. What was interrupted, was so in its own code, or before it began, or was killed."""
    task = "yields" if crowd.pool == "gevent" else "brink"
    count = 1_000 if full else 20
    ids = crowd.mill.submit_many(crowd.task(task), [(crowd.mill.file, 0.03)] * count, timeout_ms=30)
    ends = [crowd.mill.wait(id, "finished", "failed", timeout_s=120) for id in ids]
    begun = {note.job for note in crowd.mill.notes("brink")}
    for id, end in zip(ids, ends, strict=True):
        assert end["attempt"] == "1"
        if end["state"] == "failed":
            error = crowd.mill.error(id)
            assert error["code"] == "timeout"
            assert "/worker/tasks/" in error["traceback"] or id not in begun or error["traceback"] == ""
    crowd.undisturbed()


@pytest.mark.parametrize(("how", "said"), [("exit", "exit status 7"), ("abort", "SIGABRT"), ("segv", "SIGSEGV"), ("oom", "SIGKILL")])
@in_processes_alone
def test_what_ends_its_own_process_harms_nobody(crowd: Crowd, how: str, said: str) -> None:
    id = crowd.submit("end", (how,))
    assert crowd.mill.error(id, timeout_s=20)["message"] == f"The process that ran it died: {said}."
    job = crowd.mill.job(id)
    assert (job["error_code"], job["attempt"], job["deaths"], job["crashes"]) == ("crashed", "3", "3", "3")
    crowd.undisturbed()


@in_processes_alone
def test_what_hears_nothing_is_killed_with_its_process(crowd: Crowd, tmp_path: Path) -> None:
    id = crowd.submit("loop_in_c", (str(tmp_path / "began"),), timeout_ms=200)
    assert crowd.mill.error(id)["code"] == "timeout"
    assert crowd.mill.job(id)["attempt"] == "1"
    crowd.undisturbed()


def test_nothing_is_left_of_all_that(crowd: Crowd) -> None:
    crowd.gate.touch()
    assert [crowd.mill.result(id) for id in crowd.waiting] == [1] * len(crowd.waiting)
    assert "child_leaving" not in crowd.worker.events()
    ids = crowd.mill.submit_many(crowd.task("spin"), [(crowd.mill.file, 0.5)] * SLOTS)
    until(lambda: all(crowd.mill.state(id) == "started" for id in ids), 10, "all slots are back")
    for id in ids:
        crowd.mill.wait(id)
    runners = {"process": SLOTS, "gevent": 1}.get(crowd.pool, 0)
    (child,) = (pid for pid in crowd.worker.children if os.getpgid(pid) == os.getpgid(crowd.worker.pid))
    until(lambda: len(children(child)) == runners, 10, f"{runners} runners")
    until(lambda: open_files(crowd.worker) <= crowd.files, 10, "no file stays open")
    until(lambda: not zombies(crowd.worker), 5, "all the dead are buried")
    assert crowd.worker.stop() == 0
    assert not crowd.mill.held()
