"""RQ's tools tell what is so, at any moment, and change nothing by looking (DESIGN.md section 5)."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rq import Queue
from rq.job import Job
from rq.serializers import JSONSerializer

from millpond import keys, moves
from millpond.store import Store
from tests.collector.running import Collector
from tests.millpond.scripts.pond import Pond
from tests.rules.clocks import ahead
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Keeper, Mill


def info(url: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The numbers of ``rq info``: of each queue, of each worker."""
    command = [sys.executable, "-m", "rq.cli", "info", "--url", url, "--raw"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **(env or {})}).stdout
    queues = re.findall(r"^queue (\S+) (\d+), (\d+) executing, (\d+) finished, (\d+) failed$", said, re.MULTILINE)
    workers = re.findall(r"^worker (\S+) .*\) (\w+) (.*)\. jobs: (\d+) finished, (\d+) failed$", said, re.MULTILINE)
    return {
        "queues": {name: tuple(map(int, numbers)) for name, *numbers in queues},
        "workers": {name: (state, served, int(finished), int(failed)) for name, state, served, finished, failed in workers},
    }


def test_each_number_of_rq_info_is_so(mill: Mill) -> None:
    with mill.worker(concurrency=20, prefetch=0) as worker, mill.worker(queues="other") as killed:
        for id in [mill.submit("echo", number) for number in range(2)]:
            mill.wait(id)
        for id in [mill.submit("fail") for _ in range(5)]:
            mill.wait(id, "failed")
        scheduled = [mill.submit("flaky", mill.file, 9, max_attempts=9, backoff_ms=600_000) for _ in range(3)]
        for id in scheduled:
            mill.wait(id, "scheduled")
        running = mill.submit_many("nap", [(mill.file, 8.0)] * 24)
        until(lambda: [mill.state(id) for id in running].count("started") == 20, 10, "20 run")
        os.kill(killed.pid, signal.SIGKILL)
        # Of the worker's own failures, 3 are attempts that will be made again.
        mine = ("busy", "default", 2, 8)
        truth = info(mill.url)
        assert truth["queues"]["default"] == (4, 20, 2, 5)
        assert truth["workers"] == {worker.name: mine, killed.name: ("idle", "other", 0, 0)}
        queue = Queue("default", connection=mill.client, serializer=JSONSerializer)
        assert set(queue.scheduled_job_registry.get_job_ids()) == set(scheduled)
        assert set(queue.started_job_registry.get_job_ids()) == {id for id in running if mill.state(id) == "started"}
        with Keeper(mill.url):
            until(lambda: list(info(mill.url)["workers"]) == [worker.name], 8, "the killed worker is struck off")


def every_state(pond: Pond) -> dict[str, str]:
    """A job in each state, by RQ's word and what makes it special; the worker w1 holds one."""
    child = pond.hire()
    found = {}
    for status in ("finished", "failed", "canceled", "stopped"):
        (found[status],) = pond.submit()
        child.end(child.work()[0], status)
    (found["canceled, expired"],) = pond.submit()
    pond.ask("HSET", keys.job(found["canceled, expired"]), "expires_ms", 1)
    child.claim()
    (found["scheduled"],) = pond.submit(delay_ms=600_000)
    (found["scheduled, again"],) = pond.submit(fields={"max_attempts": 2})
    child.end(child.work()[0], "failed", retry_ms=600_000)
    (found["started"],) = pond.submit()
    pond.run(moves.display("w1", [(job.id, job.execution) for job in child.work()]))
    (found["started, not begun"],) = pond.submit()
    child.claim()
    (found["queued"],) = pond.submit()
    return found


def test_rq_reads_every_job_in_every_state(pond: Pond) -> None:
    for name, id in every_state(pond).items():
        job = Job.fetch(id, connection=pond.client, serializer=JSONSerializer)
        assert job.get_status() == name.partition(",")[0]
        assert (job.func_name, job.args, job.kwargs, job.timeout) == ("sleep", [1], {}, 60)
        assert (job.origin, job.description, job.created_at.tzinfo is not None) == ("default", "sleep(1)", True)
        assert (job.started_at is not None) == (name not in ("queued", "scheduled", "canceled, expired", "started, not begun"))
        assert (job.ended_at is not None) == name.startswith(("finished", "failed", "canceled", "stopped"))
        assert job.worker_name in (None, "", "w1")
        assert [one.job_id for one in job.get_executions()] == ([id] if name == "started" else [])


@pytest.mark.parametrize("hours", [1, -1])
def test_looking_with_a_wrong_clock_changes_nothing(pond: Pond, quick_server: RedisServer, hours: int) -> None:
    every_state(pond)
    alive = keys.named("ALIVE", "w1")
    before = pond.dump(alive)
    said = [info(quick_server.url, ahead({}, hours * 3600)) for _ in range(3)]
    assert said[0] == said[1] == said[2]
    assert said[0]["queues"] == {"default": (1, 2, 1, 2)}
    assert pond.dump(alive) == before


def test_stock_producers_jobs_run_and_what_is_broken_ends_no_worker(mill: Mill, tmp_path: Path, store: Store) -> None:
    queue = Queue("default", connection=mill.client, serializer=JSONSerializer)
    with mill.worker() as worker, Collector(tmp_path / "collector.log", mill.url, f"sqlite:///{tmp_path}/millpond.db"):
        children = worker.children
        mill.client.hset("rq:job:corrupt", mapping={"status": "perhaps", "origin": "default", "data": "x"})
        mill.client.set("rq:job:string", "no hash")
        mill.client.rpush("rq:queue:default", "corrupt", "string", "nothing")
        known = queue.enqueue("echo", {"x": 1})
        unknown = queue.enqueue("os.getpid")
        until(lambda: mill.client.hlen(keys.QUARANTINE) == 2, 10, "what is corrupt is set aside")
        until(lambda: store.get(known.id) and store.get(unknown.id) and not mill.client.scard(keys.OPEN), 15, "both are recorded")
        rows = [store.get(job.id) for job in (known, unknown)]
        assert [(row.status, row.error_code, row.result) for row in rows if row] == [
            ("finished", None, {"x": 1}),
            ("failed", "unknown_task", None),
        ]
        latest = known.latest_result()
        assert latest
        assert latest.return_value == {"x": 1}
        assert set(mill.client.hkeys(keys.QUARANTINE)) == {b"corrupt", b"string"}
        last = mill.submit("nap", mill.file, 0.0)
        row = until(lambda: (row := store.get(last)) and row.status == "finished" and row, 15, "its end is recorded")
        assert row
        assert row.result in children
        assert worker.children == children
        assert worker.alive


def test_no_move_of_ours_needs_what_rq_may_delete(pond: Pond) -> None:
    """RQ's registries and displays only show: without all of them a job still goes its way."""
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.work()
    for key in pond.ask("KEYS", "rq:*"):
        if not key.startswith(b"rq:job:"):
            pond.ask("DEL", key)
    assert child.end(job) == "done"
    assert pond.run(moves.recorded([moves.Committed(id, pond.version(id), ["o:1:1"])])) == [1]
