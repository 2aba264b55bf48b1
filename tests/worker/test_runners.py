"""Runner processes: which job gets which, when they are replaced, and that none outlives its child."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.processes import children, exists
from tests.until import holds, until
from tests.worker.mill import Keeper, Mill, Worker


def test_a_task_has_the_pool_that_it_asks_for(mill: Mill) -> None:
    with mill.worker(tasks="chores,havoc", concurrency=2) as worker:
        child = worker.children[0]
        assert mill.result(mill.submit("nap", mill.file, 0.0)) == child
        runner, parent = mill.result(mill.submit("apart"))
        assert parent == child != runner
        assert mill.result(mill.submit("patched")) is True
        assert mill.result(mill.submit("apart")) == [runner, child]  # it stays warm
    with mill.worker(tasks="chores,havoc", concurrency=2, pool="process") as worker:
        assert mill.result(mill.submit("plain")) == worker.children[0]
        assert mill.result(mill.submit("nap", mill.file, 0.0)) in worker.children[1:]
        assert mill.result(mill.submit("doze", mill.file, 0.0))  # on the child's loop


def test_one_job_for_each_runner(mill: Mill) -> None:
    with mill.worker(pool="process", concurrency=2, runner_jobs=1) as worker:
        child = worker.children[0]
        pids = [mill.result(id) for id in mill.submit_many("nap", [(mill.file, 0.0)] * 6)]
        assert len(set(pids)) == 6
        until(lambda: len(children(child)) == 2, 10, "the last two are replaced")
        assert not set(pids) & set(children(child))


@pytest.mark.parametrize("pool", ["process", "gevent"])
def test_memory_is_bounded_and_what_is_kept_goes_with_the_runner(mill: Mill, pool: str) -> None:
    with mill.worker(tasks="chores,havoc", pool=pool, concurrency=1, runner_memory_mb=400):
        first = mill.result(mill.submit("hoard", 10))
        assert mill.error(mill.submit("hoard", 500))["message"].startswith("MemoryError")
        assert mill.result(mill.submit("hoard", 230, True)) == first
        assert mill.result(mill.submit("hoard", 10)) != first


def test_runners_end_with_their_child(mill: Mill) -> None:
    with mill.worker(pool="process", concurrency=2) as worker:
        id = mill.submit("nap", mill.file, 30.0)
        [begun] = mill.begun(1)
        child, *runners = worker.children
        assert begun.pid in runners
        os.kill(child, signal.SIGKILL)
        until(lambda: not any(exists(pid) for pid in runners), 2, "they are dead")
        until(lambda: mill.job(id).get("attempt") == "2", 10, "the job runs again")
        old = worker.children
        assert mill.job(id)["deaths"] == "1"
        worker.kill()
        until(lambda: not any(exists(pid) for pid in old), 2, "all are dead")


def test_a_container_s_first_process_buries_the_runners_of_a_killed_child(mill: Mill) -> None:
    worker = mill.worker(pool="process", concurrency=2)
    inherit = "import ctypes; ctypes.CDLL(None).prctl(36, 1)"  # PR_SET_CHILD_SUBREAPER: as process 1 does
    worker.command = [sys.executable, "-c", f"{inherit}; from worker.parent import main; main()"]
    with worker:
        child, *runners = worker.children
        os.kill(child, signal.SIGKILL)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in [child, *runners]), 10, "not even zombies are left")


def test_what_a_job_started_is_killed_with_it(mill: Mill, tmp_path: Path) -> None:
    with mill.worker(tasks="chores,havoc", pool="process", concurrency=1):
        id = mill.submit("orphan", str(tmp_path / "pid"), timeout_ms=500)
        assert mill.error(id)["code"] == "timeout"
        pid = int((tmp_path / "pid").read_text())
        until(lambda: not exists(pid), 5, "its program is dead")


def test_an_idle_runner_that_dies_is_replaced(mill: Mill) -> None:
    with mill.worker(pool="process", concurrency=1) as worker:
        child, runner = worker.children
        os.kill(runner, signal.SIGKILL)
        assert mill.result(mill.submit("nap", mill.file, 0.0)) not in (child, runner)


def test_runners_that_cannot_load_are_tried_again_with_their_child(mill: Mill, tmp_path: Path) -> None:
    (tmp_path / "shy.py").write_text(
        "import os, sys\nfrom millpond import task\nif 'worker.runner' in sys.orig_argv: os._exit(3)\n@task\ndef noop(): pass\n"
    )
    with mill.worker(tasks="shy", pool="process", concurrency=1) as worker:
        until(lambda: worker.events().count("child_ended") >= 2, 20, "two children tried")
        assert "exit status 3" in str(worker.lines("child_broke")[0])
        assert worker.stop() == 0


# -- the next attempt of what does not end --------------------------------------------------------------------------------------


def _attempts(mill: Mill, word: str) -> list[int]:
    return [note.attempt for note in mill.notes(word)]


@pytest.mark.parametrize("pool", ["thread", "gevent"])
def test_a_retry_waits_for_the_end_of_the_attempt_before(mill: Mill, pool: str) -> None:
    with Keeper(mill.url), mill.worker(pool=pool, concurrency=4):
        id = mill.submit("stubborn", mill.file, 3.0, timeout_ms=200, max_attempts=2, backoff_ms=10)
        until(lambda: _attempts(mill, "swallowed") == [1], 10, "it was told")
        others = [mill.submit("nap", mill.file, 0.1) for _ in range(4)]
        assert all(mill.result(one) for one in others)  # its slot is not lost
        assert mill.error(id, timeout_s=15)["code"] == "timeout"
        assert [note.word for note in mill.notes() if note.job == id] == ["begin", "swallowed", "over", "begin", "swallowed"]


def test_a_retry_comes_when_the_child_that_would_not_end_it_was_replaced(mill: Mill) -> None:
    with Keeper(mill.url), mill.worker(concurrency=2) as worker:
        child = worker.children[0]
        id = mill.submit("stubborn", mill.file, 60.0, timeout_ms=200, max_attempts=2, backoff_ms=10)
        until(lambda: _attempts(mill, "begin") == [1, 2], 20, "the second attempt begins")
        assert not exists(child)  # half of its slots were left, so it was replaced
        assert mill.outcome(id)["code"] == "timeout"
        assert mill.job(id)["failures"] == "1"
        assert "deaths" not in mill.job(id)


def test_a_killed_child_s_will_is_done(mill: Mill) -> None:
    with Keeper(mill.url), mill.worker(concurrency=4) as worker:
        child = worker.children[0]
        id = mill.submit("stubborn", mill.file, 60.0, timeout_ms=200, max_attempts=2, backoff_ms=2_000, jitter="0.0")
        until(lambda: "swallowed" in [note.word for note in mill.notes()], 10, "it was told")
        holds(lambda: mill.state(id) == "started", 2, "its outcome is kept back")
        os.kill(child, signal.SIGKILL)
        until(lambda: mill.state(id) == "scheduled", 5, "it waits for its next attempt")
        assert mill.outcome(id)["code"] == "timeout"
        assert "deaths" not in mill.job(id)


def test_a_wish_ends_at_once_what_does_not_end(mill: Mill, worker: Worker) -> None:
    id = mill.submit("stubborn", mill.file, 20.0, timeout_ms=200, max_attempts=2, backoff_ms=10)
    until(lambda: "swallowed" in [note.word for note in mill.notes()], 10, "it was told")
    holds(lambda: mill.state(id) == "started", 1.5, "its outcome is kept back")
    mill.client.hset(f"rq:job:{id}", "status", "canceled")
    mill.wait(id, "canceled", timeout_s=5)
