"""Jobs that stock producers put, sound ones and bad ones: each ends and is on record, and no worker dies of any."""

import json
import re
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rq import Callback, Queue, Repeat, Retry, Webhook
from rq.job import Dependency
from rq.results import Result

from millpond.job import new_id
from tests.rq.beside import PATIENCE_S, Beside
from tests.until import until

SETTINGS = {"FORGET_GRACE_S": 1}
MIB = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def _no_worker_dies(beside: Beside) -> Iterator[None]:
    pids = beside.pids()
    yield
    assert beside.pids() == pids
    assert beside.recorded(beside.enqueue("echo", "still there").id).result == "still there"
    beside.settle()


@pytest.mark.parametrize("name", ["echo", "toil.echo"])
def test_it_runs_and_is_recorded(beside: Beside, name: str) -> None:
    job = beside.enqueue(name, {"a": [1, None]}, meta={"from": "stock"}, description="said so")
    row = beside.recorded(job.id)
    assert (row.args, row.result, row.attempt) == ([{"a": [1, None]}], {"a": [1, None]}, 1)
    assert row.task == "echo"
    result = job.latest_result()
    assert result
    assert (result.type, result.return_value) == (Result.Type.SUCCESSFUL, {"a": [1, None]})
    again = beside.fetch(job.id)
    assert (again.meta, again.description, again.get_status()) == ({"from": "stock"}, "said so", "finished")


@pytest.mark.parametrize("at", [False, True])
def test_at_a_time(beside: Beside, at: bool) -> None:
    """RQ keeps whole seconds of it."""
    if at:
        job = beside.queue.enqueue_at(datetime.now(UTC) + timedelta(seconds=2), "echo", 1)
    else:
        job = beside.queue.enqueue_in(timedelta(seconds=2), "echo", 1)
    assert beside.fetch(job.id).get_status() == "scheduled"
    row = beside.recorded(job.id)
    assert row.result == 1
    assert row.started_at
    assert job.created_at
    assert row.started_at - job.created_at.replace(tzinfo=UTC) > timedelta(seconds=0.9)


@pytest.mark.parametrize("retry", [Retry(max=2), Retry(max=2, interval=[0, 1])])
def test_retries(beside: Beside, retry: Retry) -> None:
    row = beside.recorded(beside.enqueue("flaky", 2, retry=retry).id)
    assert (row.attempt, row.failures, row.result) == (3, 2, 3)
    assert [one.status for one in beside.store.attempts(row.id)] == ["failed", "failed", "finished"]
    tired = beside.recorded(beside.enqueue("flaky", 9, retry=Retry(max=1)).id, "failed")
    assert (tired.attempt, tired.error_code) == (2, "task_error")


def test_at_front(beside: Beside) -> None:
    beside.api.pause("default")
    last, first = beside.enqueue("echo"), beside.enqueue("echo", at_front=True)
    assert beside.queue.job_ids == [first.id, last.id]
    beside.api.resume("default")
    numbers = []
    for job in (first, last):
        beside.recorded(job.id)
        [attempt] = beside.store.attempts(job.id)
        numbers.append(int((attempt.execution or "").partition("-")[2], 16))
    assert numbers == sorted(numbers)


def test_dependents(beside: Beside, gate: Path) -> None:
    first = beside.enqueue("hold", str(beside.ledger.path), str(gate))
    second = beside.enqueue("echo", 2, depends_on=first)
    third = beside.enqueue("echo", 3, depends_on=[first, second])
    assert [beside.fetch(job.id).get_status() for job in (second, third)] == ["deferred", "deferred"]
    gate.touch()
    assert [beside.recorded(job.id).result for job in (second, third)] == [2, 3]
    bad = beside.enqueue("refuse")
    consoled = beside.enqueue("echo", 4, depends_on=Dependency([bad], allow_failure=True))
    beside.recorded(bad.id, "failed")
    assert beside.recorded(consoled.id).result == 4


def test_a_stock_job_that_waits_for_one_of_ours(beside: Beside, gate: Path) -> None:
    """What a producer put through the API is a job of RQ's as any other; so is a failure of it to who allows that."""
    [ours] = beside.hold(gate)
    bad = beside.submit("refuse", delay_s=1)
    waits = beside.enqueue("echo", 1, depends_on=ours)
    consoled = beside.enqueue("echo", 2, depends_on=Dependency([ours, bad], allow_failure=True))
    assert [beside.fetch(job.id).get_status() for job in (waits, consoled)] == ["deferred", "deferred"]
    gate.touch()
    assert [beside.recorded(job.id).result for job in (waits, consoled)] == [1, 2]


def test_an_id_that_is_used_again(beside: Beside) -> None:
    """While its last job is kept, and after it was forgotten: each is another run, and on record."""
    for run, ttl in ((1, 500), (2, 0), (3, 0)):
        job = beside.enqueue("echo", run, job_id="nightly", result_ttl=ttl)
        assert beside.recorded(job.id, run=run).result == run
        if not ttl:
            until(lambda: not beside.redis.exists("rq:job:nightly"), PATIENCE_S, "it is forgotten")
    attempts = beside.store.attempts("nightly")
    assert [(one.run, one.status, one.result_json) for one in attempts] == [
        (1, "finished", b"1"),
        (2, "finished", b"2"),
        (3, "finished", b"3"),
    ]


def test_many_at_once(beside: Beside) -> None:
    prepared = [Queue.prepare_data("echo", args=(number,)) for number in range(50)]
    jobs = beside.queue.enqueue_many(prepared)
    beside.put += [job.id for job in jobs]
    assert [beside.recorded(job.id).result for job in jobs] == list(range(50))


def test_by_the_command(beside: Beside) -> None:
    """``rq enqueue``, with a time to wait for."""
    said = [
        beside.command("enqueue", "--serializer", "json", *options, "toil.echo", ':{"a": 1}') for options in ([], ["--schedule-in", "1s"])
    ]
    ids = [re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)[0] for text in said]
    assert [beside.recorded(id).result for id in ids] == [{"a": 1}] * 2


def test_how_long_it_is_kept(beside: Beside) -> None:
    """A result for its result_ttl, or RQ's 500 s; a failure for its failure_ttl, or while it is kept for a retry. The record keeps all."""
    short, usual = beside.enqueue("echo", 1, result_ttl=0), beside.enqueue("echo", 2)
    brief, failed = beside.enqueue("refuse", failure_ttl=0), beside.enqueue("refuse")
    assert [beside.recorded(job.id).result for job in (short, usual)] == [1, 2]
    assert [beside.recorded(job.id, "failed").error_code for job in (brief, failed)] == ["task_error"] * 2
    until(lambda: not beside.redis.exists(short.key, brief.key), PATIENCE_S, "they are forgotten")
    assert usual.return_value() == 2
    assert failed.latest_result()
    assert beside.redis.zscore("mp:kept:default", brief.id) is None
    assert beside.api.get(short.id).result == 1


def test_a_time_out(beside: Beside, gate: Path) -> None:
    job = beside.enqueue("hold", str(beside.ledger.path), str(gate), job_timeout=1)
    assert beside.recorded(job.id, "failed").error_code == "timeout"


def test_what_is_no_task_is_not_run(beside: Beside) -> None:
    for name in ("os.getpid", "nowhere", "toil.note"):
        assert beside.recorded(beside.enqueue(name).id, "failed").error_code == "unknown_task"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("on_success", Callback("toil.echo")),
        ("on_failure", Callback("toil.echo")),
        ("on_stopped", Callback("toil.echo")),
        ("webhooks", [Webhook("http://127.0.0.1:1/", "finished")]),
        ("repeat", Repeat(times=2)),
    ],
)
def test_what_we_do_not_do_is_refused(beside: Beside, option: str, value: Any) -> None:
    row = beside.recorded(beside.enqueue("echo", **{option: value}).id, "failed")
    assert row.error_code == "unsupported_rq_option"
    assert option in (row.error_message or "")


def test_a_pickle_is_not_opened(beside: Beside) -> None:
    job = Queue("default", connection=beside.redis).enqueue("echo", 1)
    assert beside.recorded(job.id, "failed").error_code == "undecodable"


@pytest.mark.parametrize("corrupt", ["a string", "no hash of a job", "a status of nobody"])
def test_a_corrupt_hash_is_set_aside(beside: Beside, corrupt: str) -> None:
    """One that was never accepted by us has no place in the record."""
    id = new_id()
    if corrupt == "a string":
        beside.redis.set(f"rq:job:{id}", "?")
    else:
        fields: dict[Any, Any] = {"status": "odd", "origin": "default"} if "status" in corrupt else {}
        beside.redis.hset(f"rq:job:{id}", mapping={"data": "?", **fields})
    beside.redis.rpush("rq:queue:default", id)
    set_aside(beside, id)
    assert beside.store.get(id) is None
    beside.redis.delete(f"rq:job:{id}")


@pytest.mark.parametrize("field", ["version", "state", "status", "origin"])
def test_an_accepted_job_that_is_corrupt_is_recorded_so(beside: Beside, field: str) -> None:
    beside.api.pause("default")
    id = beside.submit("echo")
    beside.redis.hset(f"rq:job:{id}", field, "" if field == "origin" else "odd")
    beside.api.resume("default")
    assert beside.recorded(id, "failed").error_code == "corrupt_job"
    set_aside(beside, id)


def set_aside(beside: Beside, id: str) -> None:
    """Wait until it is in quarantine, with the reason."""
    until(lambda: beside.redis.hexists("mp:quarantine", id), PATIENCE_S, "it is in quarantine")
    found: Any = beside.redis.hget("mp:quarantine", id)
    assert json.loads(found)["reason"] == "corrupt"


def test_a_bomb_is_not_unpacked(beside: Beside) -> None:
    """Half a gigabyte in half a megabyte, seen by worker, collector and API."""
    services = [*beside.site.workers, *beside.site.collectors, *beside.site.apis]
    pids = [pid for service in services for pid in service.pids()]
    before = {pid: peak(pid) for pid in pids}
    packer = zlib.compressobj(1)
    packed = [packer.compress(b'["echo", null, ["')] + [packer.compress(b"a" * MIB) for _ in range(512)]
    bomb = b"".join([*packed, packer.compress(b'"], {}]'), packer.flush()])
    beside.api.pause("default")
    job = beside.enqueue("echo", 1)
    beside.redis.hset(job.key, "data", bomb)
    beside.api.resume("default")
    assert beside.recorded(job.id, "failed").error_code == "undecodable"
    assert beside.api.get(job.id).status == "failed"
    grown = {pid: peak(pid) - before[pid] for pid in pids}
    assert max(grown.values()) < 200 * MIB, grown


def peak(pid: int) -> int:
    """The most memory that the process ever had, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024
