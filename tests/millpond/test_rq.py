"""What stock RQ writes is read, what it reads is written; checked against RQ itself."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from rq import Callback, Queue, Repeat, Retry
from rq.job import Job, JobStatus
from rq.results import Result
from rq.serializers import JSONSerializer

from millpond import broker, moves, rq
from millpond.errors import Undecodable
from millpond.rq import Adopted, Unsupported
from millpond.task import Task


def resize(path: str, width: int = 100) -> None: ...


TASK = Task(name="shrink", function=resize)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return broker.connect(redis_url)


def put(client: redis.Redis, *args: Any, **options: Any) -> tuple[Job, dict[str, bytes]]:
    job = Queue("default", connection=client, serializer=JSONSerializer).enqueue(*args, **options)
    return job, broker.run(client, moves.listen(job.id))[1]


def test_a_plain_job(client: redis.Redis) -> None:
    _, hash = put(client, "shrink", "a.png", width=7)
    assert Adopted.read(hash) == Adopted("shrink", ["a.png"], {"width": 7})


@pytest.mark.parametrize(
    ("function", "found"), [("shrink", TASK), (resize, TASK), (f"{__name__}.resize", TASK), ("os.system", None), ("eval", None)]
)
def test_only_registered_tasks_are_found(client: redis.Redis, function: Any, found: Task | None) -> None:
    _, hash = put(client, function, "a.png")
    assert Adopted.read(hash).find({"shrink": TASK}) is found


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"on_success": Callback(resize)}, "on_success"),
        ({"on_failure": Callback(resize)}, "on_failure"),
        ({"on_stopped": Callback(resize)}, "on_stopped"),
        ({"repeat": Repeat(times=2)}, "repeat"),
    ],
)
def test_what_we_do_not_do_is_refused_by_name(client: redis.Redis, options: dict[str, Any], named: str) -> None:
    _, hash = put(client, "shrink", **options)
    with pytest.raises(Unsupported, match=named) as caught:
        Adopted.read(hash)
    assert caught.value.code == "unsupported_rq_option"


@pytest.mark.parametrize(("field", "named"), [("webhooks", "webhooks"), ("rate_limit_key", "rate_limit")])
def test_newer_options_are_refused_by_their_fields(client: redis.Redis, field: str, named: str) -> None:
    _, hash = put(client, "shrink")
    with pytest.raises(Unsupported, match=named):
        Adopted.read(hash | {field: b"[1]"})


def test_what_only_rq_cares_for_is_no_reason_to_refuse(client: redis.Redis) -> None:
    _, hash = put(client, "shrink", meta={"a": 1}, description="d", result_ttl=5, failure_ttl=6, ttl=7, at_front=True, job_timeout="1h")
    assert Adopted.read(hash).name == "shrink"


@pytest.mark.parametrize(
    "retry", [None, Retry(max=2), Retry(max=3, interval=5), Retry(max=3, interval=[1, 2, 3]), Retry(max=4, interval=[10, 20])]
)
def test_retries_come_when_rq_would_make_them(client: redis.Redis, retry: Retry | None) -> None:
    job, hash = put(client, "shrink", retry=retry)
    adopted, failures = Adopted.read(hash), 0
    while job.should_retry:
        failures += 1
        assert adopted.retry_ms(failures) == job.get_retry_interval() * 1000
        assert job.retries_left is not None
        job.retries_left -= 1
    assert adopted.retry_ms(failures + 1) == -1


def test_a_pickled_job_is_not_read(client: redis.Redis) -> None:
    job = Queue("default", connection=client).enqueue(resize, "a.png")
    with pytest.raises(Undecodable):
        Adopted.read(broker.run(client, moves.listen(job.id))[1])


@pytest.mark.parametrize("value", [{"a": [1, None]}, "text", 0, None])
def test_results_are_read_by_rq(client: redis.Redis, value: Any) -> None:
    from millpond import codec

    job, _ = put(client, "shrink")
    fields: dict[Any, Any] = {"type": 1, "worker_name": "w"}
    if payload := rq.return_value(codec.encode(value)):
        fields["return_value"] = payload
    client.xadd(f"rq:results:{job.id}", fields)
    result = job.latest_result()
    assert result is not None
    assert (result.type, result.return_value) == (Result.Type.SUCCESSFUL, value)


def test_tracebacks_are_read_by_rq(client: redis.Redis) -> None:
    job, _ = put(client, "shrink")
    client.xadd(f"rq:results:{job.id}", {"type": 2, "worker_name": "w", "exc_string": rq.exc_string("Traceback: \u00fc")})
    result = job.latest_result()
    assert result is not None
    assert (result.type, result.exc_string) == (Result.Type.FAILED, "Traceback: \u00fc")


def test_dependents_are_queued_by_rq(client: redis.Redis) -> None:
    queue = Queue("default", connection=client, serializer=JSONSerializer)
    first = queue.enqueue("shrink")
    second = queue.enqueue("shrink", depends_on=first)
    assert second.get_status() == JobStatus.DEFERRED
    first.set_status(JobStatus.FINISHED)
    rq.enqueue_dependents(client, first.id)
    assert second.get_status() == JobStatus.QUEUED
    assert second.id in queue.job_ids
    rq.enqueue_dependents(client, first.id)
    assert queue.job_ids.count(second.id) == 1
    rq.enqueue_dependents(client, "gone")


def test_rq_is_not_imported_before_it_is_called() -> None:
    code = "import sys, millpond.rq, millpond.job, millpond.client, millpond.settings\nsys.exit('rq' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], timeout=60, check=False).returncode == 0
