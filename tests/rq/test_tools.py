"""RQ's own tools against the running system: each is obeyed and recorded, and strands nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_execution_command, send_stop_job_command
from rq.serializers import JSONSerializer

from tests.rq.beside import PATIENCE_S, Beside
from tests.until import holds, until


@pytest.fixture(autouse=True)
def _nothing_stranded(beside: Beside, gate: Path) -> Iterator[None]:
    yield
    gate.touch()
    beside.settle()


@pytest.fixture
def held_back(beside: Beside) -> Iterator[Callable[[], None]]:
    """The queue gives nothing out until this is called."""
    beside.api.pause("default")
    yield lambda: beside.api.resume("default")
    beside.api.resume("default")


def test_cancel(beside: Beside, gate: Path, held_back: Callable[[], None]) -> None:
    queued, scheduled = beside.submit("echo"), beside.submit("echo", delay_s=600)
    for id in (queued, scheduled):
        beside.fetch(id).cancel()
        assert beside.recorded(id, "canceled").reason == "by_rq"
    held_back()
    [running] = beside.hold(gate)
    beside.running([running])
    beside.fetch(running).cancel()
    beside.recorded(running, "canceled")


@pytest.mark.parametrize("way", ["library", "command", "command for all"])
def test_requeue(beside: Beside, way: str) -> None:
    id = beside.submit("refuse")
    beside.recorded(id, "failed")
    if way == "library":
        beside.fetch(id).requeue()
    else:
        beside.command("requeue", "--queue", "default", *(["--all"] if way == "command for all" else [id]))
    assert beside.recorded(id, "failed", run=2).attempt == 1
    assert [(one.run, one.attempt) for one in beside.store.attempts(id)] == [(1, 1), (2, 1)]


def test_delete(beside: Beside, gate: Path, held_back: Callable[[], None]) -> None:
    queued, scheduled = beside.submit("echo"), beside.submit("echo", delay_s=600)
    beside.fetch(queued).delete()
    beside.fetch(scheduled).delete()
    held_back()
    [running] = beside.hold(gate)
    finished, failed = beside.submit("echo"), beside.submit("refuse")
    beside.recorded(finished)
    beside.recorded(failed, "failed")
    beside.running([running])
    for id in (running, finished, failed):
        beside.fetch(id).delete()
    for id in (queued, scheduled, running):
        assert beside.recorded(id, "canceled").reason == "deleted"
    assert beside.api.get(finished).status == "finished"
    assert beside.api.get(failed).status == "failed"


@pytest.mark.parametrize("way", ["library", "command", "command for all", "delete"])
def test_empty(beside: Beside, held_back: Callable[[], None], way: str) -> None:
    jobs = [beside.submit("echo") for _ in range(5)]
    if way == "library":
        assert beside.queue.empty() == 5  # type: ignore[no-untyped-call]
    elif way != "delete":
        assert "5 jobs removed" in beside.command("empty", "--all" if way == "command for all" else "default")
    else:
        beside.queue.delete()
    for id in jobs:
        assert beside.recorded(id, "canceled").reason == "deleted"
    held_back()
    beside.recorded(beside.submit("echo"))


def test_stop_job_and_stop_execution(beside: Beside, gate: Path) -> None:
    """Each one of many that run in one process, and no other."""
    jobs = beside.hold(gate, 6)
    beside.running(jobs)
    for id in jobs[:2]:
        send_stop_job_command(beside.redis, id, serializer=JSONSerializer)
    for id in jobs[2:4]:
        send_stop_execution_command(beside.redis, id, beside.execution(id).id)
    for id in jobs[:4]:
        beside.recorded(id, "stopped")
    assert beside.at_work(jobs[4:]) == 2
    gate.touch()
    for id in jobs[4:]:
        assert beside.recorded(id).attempt == 1


def test_stop_any_of_twenty(beside: Beside, gate: Path) -> None:
    """One by one, in whatever worker it runs: this one and no other, and nobody's slot is lost."""
    jobs, others = beside.hold(gate, 20), beside.hold(gate, 5)
    beside.running([*jobs, *others])
    for number, id in enumerate(jobs):
        send_stop_job_command(beside.redis, id, serializer=JSONSerializer)
        row = beside.recorded(id, "stopped")
        assert (row.reason, row.error_code, row.attempt, row.failures, row.deaths) == ("stopped", None, 1, 0, 0)
        assert [(one.attempt, one.status, one.error_code) for one in beside.store.attempts(id)] == [(1, "stopped", "stopped")]
        assert (beside.fetch(id).get_status(), id in beside.queue.failed_job_registry) == ("stopped", True)
        assert set(beside.queue.started_job_registry.get_job_ids()) == {*jobs[number + 1 :], *others}
    gate.touch()
    for id in others:
        assert (beside.recorded(id).attempt, len(beside.store.attempts(id))) == (1, 1)
    assert beside.info().queues["default"].executing == 0


def test_kill_horse(beside: Beside, gate: Path) -> None:
    """The child dies, its job runs again, the worker stays."""
    [id] = beside.hold(gate)
    beside.running([id])
    parents = [worker.pid for worker in beside.site.workers]
    send_kill_horse_command(beside.redis, beside.fetch(id).worker_name or "")
    until(lambda: len([one for one in beside.ledger.stints() if one.job == id]) == 2, PATIENCE_S, "it runs again")
    gate.touch()
    assert beside.recorded(id).deaths == 1
    assert [worker.pid for worker in beside.site.workers if worker.alive] == parents


@pytest.mark.parametrize("words", [["suspend"], ["suspend", "--duration", "2"]])
def test_suspend_and_resume(beside: Beside, gate: Path, words: list[str]) -> None:
    [running] = beside.hold(gate)
    beside.running([running])
    beside.command(*words)
    id = beside.submit("echo")
    if len(words) == 1:
        gate.touch()
        beside.recorded(running)  # what runs goes on
        holds(lambda: beside.state(id) == "queued", 1.5, "nothing is begun while RQ is suspended")
        beside.command("resume")
    beside.recorded(id)


def test_shutdown(beside: Beside, gate: Path) -> None:
    """A warm stop: what runs is finished, nothing runs twice, and the others go on."""
    jobs = beside.hold(gate, 20)
    beside.running(jobs)
    worker = beside.site.workers[0]
    name = next(one["worker"] for one in worker.lines() if one["event"] == "worker_started")
    send_shutdown_command(beside.redis, name)
    until(lambda: any(one["event"] == "worker_draining" for one in worker.lines()), PATIENCE_S, "it drains")
    gate.touch()
    assert worker.wait(PATIENCE_S) == 0
    assert [beside.recorded(id).attempt for id in jobs] == [1] * 20
    beside.recorded(beside.submit("echo"))
    assert len(list(beside.api.workers())) == 1
    assert len(beside.info().workers) == 1
