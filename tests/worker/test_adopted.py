"""Jobs that stock RQ put run here, and RQ's own tools read what came of them."""

import subprocess
import sys
from typing import Any

import pytest
from rq import Callback, Queue, Retry
from rq.job import Job
from rq.results import Result
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from tests.until import until
from tests.worker.mill import Keeper, Mill, Worker


@pytest.fixture(scope="module")
def mill(steady_mill: Mill) -> Mill:
    return steady_mill


@pytest.fixture(scope="module")
def worker(steady_worker: Worker) -> Worker:
    return steady_worker


@pytest.fixture
def queue(mill: Mill) -> Queue:
    return Queue("default", connection=mill.client, serializer=JSONSerializer)


def result_of(job: Job) -> Result:
    found = job.latest_result()
    assert found
    return found


def settled(mill: Mill, job: Job, *states: str) -> Job:
    mill.wait(job.id, *states, timeout_s=15)
    return Job.fetch(job.id, connection=mill.client, serializer=JSONSerializer)


@pytest.mark.parametrize("name", ["echo", "chores.echo"])
def test_by_task_name_or_by_path(mill: Mill, worker: Worker, queue: Queue, name: str) -> None:
    job = settled(mill, queue.enqueue(name, {"x": [1, 2]}), "finished")
    assert result_of(job).return_value == {"x": [1, 2]}
    assert result_of(job).type == Result.Type.SUCCESSFUL
    assert job.worker_name == worker.name
    assert mill.job(job.id)["task"] == "echo"


def test_a_failure_shows_its_traceback(mill: Mill, worker: Worker, queue: Queue) -> None:
    job = settled(mill, queue.enqueue("fail"), "failed")
    assert result_of(job).type == Result.Type.FAILED
    assert "ValueError" in str(result_of(job).exc_string)


def test_rq_s_retries_are_made(mill: Mill, worker: Worker, queue: Queue) -> None:
    with Keeper(mill.url):
        job = queue.enqueue("flaky", mill.file, 2, retry=Retry(max=2, interval=[0, 0]))
        assert settled(mill, job, "finished").latest_result()
        assert mill.job(job.id)["attempt"] == "3"
        tired = queue.enqueue("flaky", mill.file, 9, retry=Retry(max=1))
        settled(mill, tired, "failed")
        assert mill.job(tired.id)["attempt"] == "2"


def test_its_time_out_holds(mill: Mill, worker: Worker, queue: Queue) -> None:
    job = settled(mill, queue.enqueue("spin", mill.file, 30.0, job_timeout=1), "failed")
    assert mill.job(job.id)["error_code"] == "timeout"


def test_a_function_that_is_no_task_fails_and_is_not_run(mill: Mill, worker: Worker, queue: Queue) -> None:
    job = settled(mill, queue.enqueue("os.getpid"), "failed")
    assert mill.job(job.id)["error_code"] == "unknown_task"


def test_what_we_do_not_do_is_refused_by_name(mill: Mill, worker: Worker, queue: Queue) -> None:
    job = settled(mill, queue.enqueue("echo", 1, on_success=Callback("chores.echo")), "failed")
    assert mill.job(job.id)["error_code"] == "unsupported_rq_option"
    assert "on_success" in mill.error(job.id)["message"]


def test_dependents_are_queued_when_what_they_wait_for_ends(mill: Mill, worker: Worker, queue: Queue) -> None:
    first = queue.enqueue("echo", 1, at_front=True)
    second = queue.enqueue("echo", 2, depends_on=first)
    third = queue.enqueue("echo", 3, depends_on=second)
    assert [result_of(settled(mill, job, "finished")).return_value for job in (first, second, third)] == [1, 2, 3]


def test_a_pickle_is_not_opened(mill: Mill, worker: Worker) -> None:
    job = Queue("default", connection=mill.client).enqueue("echo", 1)
    mill.wait(job.id, "failed")
    assert mill.job(job.id)["error_code"] == "undecodable"


def test_rq_sees_the_worker_as_one_of_its_own(mill: Mill, worker: Worker) -> None:
    id = mill.submit("spin", mill.file, 3.0)
    mill.wait(id, "started")
    [seen] = BaseWorker.all(connection=mill.client)
    assert (seen.name, seen.pid, seen.get_state()) == (worker.name, worker.pid, "busy")
    assert seen.queue_names() == ["default"]
    assert [execution.job_id for execution in seen.get_current_executions()] == [id]
    assert mill.wait(id)["status"] == "finished"
    until(lambda: BaseWorker.all(connection=mill.client)[0].get_state() == "idle", 5, "it is shown idle")
    assert info(mill)["workers"] == 1


def test_a_display_that_faded_comes_back(mill: Mill, worker: Worker) -> None:
    mill.client.delete(f"rq:worker:{worker.name}")
    until(lambda: mill.client.hget(f"rq:worker:{worker.name}", "pid") == str(worker.pid).encode(), 3, "it is shown again")
    assert mill.result(mill.submit("echo", 1)) == 1


def test_suspended_workers_claim_nothing(mill: Mill, worker: Worker) -> None:
    mill.client.set("rq:suspended", 1)
    id = mill.submit("echo", 1)
    until(lambda: mill.client.scard("mp:idle:default") == 0, 3, "it looked and was refused")
    assert mill.state(id) == "queued"
    mill.client.delete("rq:suspended")
    assert mill.result(id, timeout_s=3) == 1


def info(mill: Mill) -> dict[str, Any]:
    """What ``rq info`` counts."""
    command = [sys.executable, "-m", "rq.cli", "info", "--url", mill.url, "--raw"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return {"workers": sum(line.startswith("worker ") for line in lines)}
