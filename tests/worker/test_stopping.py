"""Ending functions that run: their time, somebody's wish, RQ's commands; and attempts after failures."""

from time import monotonic

import pytest
from rq.command import send_stop_execution_command, send_stop_job_command

from millpond import broker, moves
from tests.pace import within
from tests.processes import exists
from tests.until import until
from tests.worker.mill import Keeper, Mill, Worker


@pytest.fixture(scope="module")
def mill(steady_mill: Mill) -> Mill:
    return steady_mill


@pytest.fixture(scope="module")
def worker(steady_worker: Worker) -> Worker:
    return steady_worker


def cancel(mill: Mill, id: str) -> None:
    assert broker.run(mill.client, moves.cancel(id)).answer == "wish"


def noted(mill: Mill, id: str, word: str) -> None:
    until(lambda: any(note.job == id for note in mill.notes(word)), 10, f"{id} notes {word}")


@pytest.mark.parametrize(("task", "raised"), [("spin", "TaskTimeout"), ("doze", "CancelledError")])
def test_a_function_over_its_time_is_interrupted(mill: Mill, worker: Worker, task: str, raised: str) -> None:
    id = mill.submit(task, mill.file, 30.0, timeout_ms=300)
    began = monotonic()
    error = mill.error(id)
    assert monotonic() - began < within(3)
    assert (error["code"], error["message"]) == ("timeout", "It ran longer than 0.3 s.")
    assert mill.job(id)["failures"] == "1"
    noted(mill, id, raised)


@pytest.mark.parametrize("task", ["spin", "doze"])
def test_a_running_job_expires(mill: Mill, worker: Worker, task: str) -> None:
    seconds, microseconds = mill.client.time()
    id = mill.submit(task, mill.file, 30.0, expires_ms=seconds * 1000 + microseconds // 1000 + 1_500, max_attempts=3)
    job = mill.wait(id, "expired", timeout_s=5)
    assert (job["reason"], job["attempt"], job["status"]) == ("expired", "1", "canceled")
    assert mill.outcome(id)["status"] == "expired"


def test_a_job_expires_between_its_attempts(mill: Mill, worker: Worker) -> None:
    with Keeper(mill.url):
        seconds, _ = mill.client.time()
        id = mill.submit("fail", expires_ms=seconds * 1000 + 3_000, max_attempts=3, backoff_ms=5_000, jitter="0.0")
        mill.wait(id, "scheduled")
        assert mill.wait(id, "expired", timeout_s=10)["attempt"] == "1"


def test_a_time_out_is_a_failure_that_is_tried_again(mill: Mill, worker: Worker) -> None:
    with Keeper(mill.url):
        id = mill.submit("spin", mill.file, 30.0, timeout_ms=200, max_attempts=2, backoff_ms=100, jitter="0.0")
        mill.error(id, timeout_s=15)
    assert [mill.outcome(id, attempt)["code"] for attempt in (1, 2)] == ["timeout", "timeout"]


def test_failures_are_tried_again_after_growing_delays(mill: Mill, worker: Worker) -> None:
    with Keeper(mill.url):
        id = mill.submit("flaky", mill.file, 2, max_attempts=3, backoff_ms=400, backoff_factor="3.0", jitter="0.0")
        assert mill.result(id, timeout_s=20) == 3
    begun = [note.at for note in mill.notes("begin") if note.job == id]
    assert begun[1] - begun[0] >= 0.4
    assert begun[2] - begun[1] >= 1.2
    assert mill.job(id)["failures"] == "2"


def test_attempts_end(mill: Mill, worker: Worker) -> None:
    with Keeper(mill.url):
        id = mill.submit("flaky", mill.file, 9, max_attempts=2, backoff_ms=10)
        assert mill.error(id, timeout_s=15)["message"] == "RuntimeError: attempt 2"
    assert mill.job(id)["attempt"] == "2"


@pytest.mark.parametrize(("task", "raised"), [("spin", "TaskCanceled"), ("doze", "CancelledError")])
def test_a_running_job_is_canceled(mill: Mill, worker: Worker, task: str, raised: str) -> None:
    id = mill.submit(task, mill.file, 30.0)
    noted(mill, id, "begin")
    cancel(mill, id)
    mill.wait(id, "canceled", timeout_s=5)
    noted(mill, id, raised)


def test_a_job_that_looks_whether_it_is_canceled_returns(mill: Mill, worker: Worker) -> None:
    id = mill.submit("polite", mill.file)
    noted(mill, id, "begin")
    cancel(mill, id)
    job = mill.wait(id, "finished", "canceled", timeout_s=5)
    assert job["state"] in ("finished", "canceled")  # what it met first: its own look, or the interrupt


def test_rq_s_stop_commands_find_any_of_the_running_jobs(mill: Mill, worker: Worker) -> None:
    ids = mill.submit_many("spin", [(mill.file, 30.0)] * 6)
    for id in ids:
        noted(mill, id, "begin")
    send_stop_job_command(mill.client, ids[3])
    send_stop_execution_command(mill.client, ids[5], mill.job(ids[5])["execution"])
    assert mill.wait(ids[3], "stopped")["reason"] == "stopped"
    assert mill.wait(ids[5], "stopped")["status"] == "stopped"
    assert [mill.state(ids[at]) for at in (0, 1, 2, 4)] == ["started"] * 4
    for at in (0, 1, 2, 4):
        cancel(mill, ids[at])
        mill.wait(ids[at], "canceled")


def test_a_command_that_is_none_harms_nobody(mill: Mill, worker: Worker) -> None:
    before = worker.children
    for text in ("", "[]", "{}", '{"command":"dance"}', '{"command":"stop-job"}', '{"command":"stop-job","job_id":"a\\ndrain"}'):
        mill.client.publish(f"rq:pubsub:{worker.name}", text)
    until(lambda: worker.events().count("command_refused") >= 4, 5, "they were read")
    assert mill.result(mill.submit("echo", 5)) == 5
    assert worker.children == before


def test_what_does_not_end_is_recorded_and_left_behind(mill: Mill) -> None:
    with mill.worker(queues="few", concurrency=4) as worker:
        child = worker.children[0]
        id = mill.submit("stubborn", mill.file, 60.0, queue="few", timeout_ms=200)
        error = mill.error(id, timeout_s=12)
        assert (error["code"], error["traceback"]) == ("timeout", "")
        noted(mill, id, "swallowed")
        # Its thread was replaced: four still run side by side.
        ids = mill.submit_many("nap", [(mill.file, 2.0)] * 4, queue="few")
        began = monotonic()
        assert {mill.result(one) for one in ids} == {child}
        assert monotonic() - began < within(6)
        # With half of the threads left behind, the process is replaced.
        mill.error(mill.submit("stubborn", mill.file, 60.0, queue="few", timeout_ms=200), timeout_s=12)
        until(lambda: worker.children and child not in worker.children, 10, "a new child serves")
        assert mill.result(mill.submit("nap", mill.file, 0.0, queue="few")) in worker.children


def test_a_blocked_loop_keeps_no_other_coroutine_waiting(mill: Mill) -> None:
    with mill.worker(queues="loop", concurrency=4):
        id = mill.submit("block_loop", mill.file, 60.0, queue="loop", timeout_ms=200)
        assert mill.error(id, timeout_s=12)["code"] == "timeout"
        other = mill.submit("doze", mill.file, 0.0, queue="loop")
        assert mill.result(other) == other


def test_a_long_job_in_c_is_waited_for(mill: Mill, worker: Worker) -> None:
    """time.sleep does not hear an interrupt: canceled, it ends when it returns, if that is soon."""
    id = mill.submit("nap", mill.file, 2.0)
    noted(mill, id, "begin")
    cancel(mill, id)
    mill.wait(id, "canceled", "finished", timeout_s=6)
    assert exists(worker.children[0])
