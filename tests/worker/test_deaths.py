"""What happens to jobs when processes die, hang or are paused."""

import os
import signal
from collections import Counter
from pathlib import Path
from time import monotonic

import pytest

from tests.pace import within
from tests.processes import exists
from tests.until import holds, until
from tests.worker.mill import Keeper, Mill, Worker


def test_a_killed_child_s_jobs_run_again_within_2_s(mill: Mill) -> None:
    with mill.worker(prefetch=5) as worker:
        child = worker.children[0]
        ids = mill.submit_many("nap", [(mill.file, 3.0)] * 25)  # 20 begin, 5 are claimed beside them
        mill.begun(20)
        until(lambda: mill.client.zcard("rq:wip:default") == 25, 5, "all are leased")
        os.kill(child, signal.SIGKILL)
        killed = monotonic()
        again = until(lambda: [note for note in mill.notes("begin") if note.pid != child], 10, "jobs run again")
        assert again[0].at - killed < within(2)
        for id in ids:
            mill.wait(id, timeout_s=15)
        first = {note.job for note in mill.notes("begin") if note.pid == child}
        assert {id: mill.job(id)["deaths"] for id in ids if id in first} == dict.fromkeys(first, "1")
        unbegun = set(ids) - first
        assert unbegun
        assert all("deaths" not in mill.job(id) and mill.job(id)["attempt"] == "1" for id in unbegun)
        assert mill.outcome(next(iter(first)))["code"] == "worker_died"
        assert not mill.held()


def test_a_job_that_kills_its_process_ends_as_crashed_and_harms_others_twice_at_most(mill: Mill, worker: Worker) -> None:
    bad = mill.submit("die", mill.file)
    until(lambda: int(mill.job(bad).get("deaths", 0)) >= 2, 20, "it died twice")
    neighbours = mill.submit_many("nap", [(mill.file, 1.0)] * 20)
    assert mill.error(bad, timeout_s=40)["code"] == "worker_died"
    job = mill.job(bad)
    assert (job["error_code"], job["deaths"], job["crashes"]) == ("crashed", "5", "3")
    for id in neighbours:
        mill.wait(id)
        assert "deaths" not in mill.job(id)
    until(lambda: len(worker.children) == 1, 15, "the one-slot child leaves when it is not needed")


def test_a_job_that_survives_alone_finishes(mill: Mill, worker: Worker) -> None:
    id = mill.submit("die", mill.file, 3)
    assert mill.result(id, timeout_s=30) == 4
    job = mill.job(id)
    assert (job["deaths"], job["crashes"]) == ("3", "1")


def test_an_exit_by_hand_is_a_death_too(mill: Mill, worker: Worker, tmp_path: Path) -> None:
    id = mill.submit("outlive", str(tmp_path / "mark"))
    until(lambda: mill.job(id).get("deaths") == "1", 10, "its death is counted")


def test_what_must_not_start_twice_ends_interrupted(mill: Mill, worker: Worker) -> None:
    id = mill.submit("once", mill.file, 30.0, rerun="never")
    mill.begun(1)
    os.kill(worker.children[0], signal.SIGKILL)
    assert mill.wait(id, "failed")["error_code"] == "interrupted"
    assert mill.outcome(id)["code"] == "worker_died"
    holds(lambda: len(mill.notes("begin")) == 1, 1, "it was started twice")


@pytest.mark.parametrize("stopped", [False, True])
def test_children_die_with_their_parent(mill: Mill, stopped: bool) -> None:
    with mill.worker() as worker:
        child = worker.children[0]
        mill.submit("hold_gil", mill.file, 30.0)
        mill.begun(1)
        if stopped:
            os.kill(child, signal.SIGSTOP)
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: not exists(child), 2, "the child died")


def test_a_killed_worker_s_jobs_run_on_another_within_6_s(mill: Mill, worker: Worker, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    ids = mill.submit_many("stay", [(mill.file, str(gate))] * 22)
    mill.begun(20)
    with mill.worker() as other, Keeper(mill.url):
        os.kill(worker.pid, signal.SIGKILL)
        killed = monotonic()
        again = until(lambda: [note for note in mill.notes("begin") if note.pid in other.children and note.at > killed], 10)
        assert again[0].at - killed < within(6)
        gate.touch()
        for id in ids:
            mill.wait(id, timeout_s=20)
        until(lambda: mill.client.hkeys("mp:workers") == [other.name.encode()], 10, "the dead is struck off")


def test_a_paused_worker_that_wakes_up_starts_nothing_twice(mill: Mill) -> None:
    with mill.worker(prefetch=3) as worker, Keeper(mill.url) as keeper:
        child = worker.children[0]
        mill.submit_many("spin", [(mill.file, 60.0)] * 23)
        mill.begun(20)
        os.kill(child, signal.SIGSTOP)
        worker.pause()
        until(lambda: keeper.taken == [worker.name], 10, "a keeper took its jobs back")
        with mill.worker(prefetch=3) as other:
            until(lambda: sum(note.pid in other.children for note in mill.notes("begin")) == 20, 10, "they run on another")
            os.kill(child, signal.SIGCONT)
            worker.resume()
            until(lambda: not exists(child), 5, "its child was replaced")
            until(lambda: worker.children, 5, "by another")
            holds(lambda: all(note.pid != child for note in mill.notes("begin")[20:]), 1, "it began what it had lost")
            begun = Counter(note.job for note in mill.notes("begin"))
            lost = {note.job for note in mill.notes("begin") if note.pid == child}
            assert len(lost) == 20
            assert all(begun[id] == 1 + (id in lost) for id in begun), "what nobody had begun may be given to whom has slots free, once"


def test_a_paused_child_keeps_its_jobs(mill: Mill, worker: Worker) -> None:
    child = worker.children[0]
    ids = mill.submit_many("nap", [(mill.file, 0.5)] * 30)
    mill.begun(1)
    with Keeper(mill.url) as keeper:
        os.kill(child, signal.SIGSTOP)
        holds(lambda: not keeper.taken, 6, "the living parent's worker was taken for dead", every_s=0.5)
        os.kill(child, signal.SIGCONT)
        for id in ids:
            mill.wait(id)
    assert len(mill.notes("begin")) == 30


def test_modules_that_are_refused_end_the_worker_by_name(mill: Mill) -> None:
    worker = mill.worker(tasks="not_there").launch()
    assert worker.wait(30) == 2
    assert "not_there" in worker.lines("tasks_refused")[0]["error"]
    assert not mill.client.exists("mp:workers")


def test_a_child_that_dies_while_it_loads_is_tried_again_and_again(mill: Mill, tmp_path: Path) -> None:
    (tmp_path / "fatal.py").write_text("import os\nos._exit(9)\n")
    with mill.worker(tasks="fatal", health_file=tmp_path / "health") as worker:
        until(lambda: worker.events().count("child_ended") >= 3, 60, "it was tried three times")
        assert {line["generation"] for line in worker.lines("child_ended")} == {1}  # it never claimed: the generation is used again
        assert (tmp_path / "health").exists()
        assert mill.client.exists(f"mp:alive:{worker.name}")
        assert worker.stop() == 0


def test_a_hung_child_is_replaced_and_what_it_had_not_begun_runs(mill: Mill) -> None:
    """With 3 s in place of 30; the function that keeps the GIL is within its time and not killed."""
    with mill.worker(concurrency=2, prefetch=2).with_hang_after(3.0) as worker:
        child = worker.children[0]
        hog = mill.submit("hold_gil", mill.file, 10.0)
        mill.begun(1)
        until(lambda: "child_hangs" in worker.events(), 12, "the hang is seen")
        other = mill.submit("nap", mill.file, 0.0)
        assert mill.result(other, timeout_s=10) != child
        assert exists(child)
        mill.wait(hog, timeout_s=20)
        until(lambda: not exists(child), 10, "it leaves when it can")
        assert mill.job(hog)["attempt"] == "1"


def test_a_hung_child_dies_when_all_it_runs_is_over_its_time(mill: Mill) -> None:
    with mill.worker(concurrency=2).with_hang_after(4.0) as worker:
        child = worker.children[0]
        hog = mill.submit("hold_gil", mill.file, 60.0, timeout_ms=1_000)
        mill.begun(1)
        until(lambda: not exists(child), 20, "it is killed")
        until(lambda: mill.job(hog).get("deaths") == "1", 10, "that is a death of what it ran")
