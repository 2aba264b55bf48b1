"""RQ's truth (issue 2, 8): what ``rq info`` and `Job.fetch` say is so, whatever happens, and looking changes nothing."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rq.command import send_stop_job_command
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from tests.processes import ROOT
from tests.rq.beside import PATIENCE_S, Beside, Info, Queued, Worker
from tests.until import until

SLOTS = 10
SETTINGS = {"CONCURRENCY": SLOTS, "PREFETCH": 0, "FORGET_GRACE_S": 600}
FINISHED, FAILED, SCHEDULED, HELD = 7, 5, 3, 2 * SLOTS + 4


def test_each_number_of_rq_info_is_true(beside: Beside, gate: Path) -> None:
    ledger = str(beside.ledger.path)
    finished = [beside.submit("toil", ledger) for _ in range(FINISHED)]
    failed = [beside.submit("spoil", ledger) for _ in range(FAILED)]
    beside.settle()
    scheduled = [beside.submit("toil", ledger, delay_s=600) for _ in range(SCHEDULED)]
    held = beside.hold(gate, HELD)
    beside.running(held, 2 * SLOTS)

    def counted(*pids: int, state: str, lost: int = 0) -> Info:
        """What ought to be said, from what was put and what the jobs wrote down."""
        done = beside.by_worker([*finished, *held])
        executing = beside.at_work(held)
        ended = sum(stint.job in held and stint.ended is not None for stint in beside.ledger.stints())
        queue = Queued(HELD - executing - ended + lost, executing - lost, FINISHED + ended, FAILED)
        failures = beside.by_worker(failed)
        return Info({"default": queue}, {pid: Worker(state, "default", done[pid], failures[pid]) for pid in pids})

    first, second = beside.site.workers
    before = counted(first.pid, second.pid, state="busy")
    assert before.queues["default"] == Queued(4, 20, 7, 5)
    assert beside.info() == before
    assert len(beside.queue.scheduled_job_registry) == SCHEDULED

    # Nobody can take back while the collector stands still, so the dead worker's leases stand, and that is what is said.
    [collector] = beside.site.collectors
    collector.pause()
    first.kill_all()
    assert beside.info() == before
    collector.resume()
    until(lambda: beside.redis.hlen("mp:workers") == 1, PATIENCE_S, "the dead worker's jobs are taken back")
    assert beside.info() == counted(second.pid, state="busy", lost=SLOTS)
    assert beside.info().queues["default"] == Queued(14, 10, 7, 5)

    gate.touch()
    for id in scheduled:
        beside.api.cancel(id)
    beside.settle()
    assert [row.deaths for id in held if (row := beside.store.get(id))].count(1) == SLOTS
    done = beside.info()
    assert done.queues["default"] == Queued(0, 0, FINISHED + HELD, FAILED)
    assert done.workers == counted(second.pid, state="idle").workers
    assert "0 jobs total" in beside.command("info")
    assert "1 workers, 1 queues" in beside.command("info", "--by-queue")


def test_rq_reads_every_job_in_every_state(beside: Beside, gate: Path) -> None:
    ledger = str(beside.ledger.path)
    started, stopped = beside.hold(gate, 2)
    finished, failed = beside.submit("toil", ledger), beside.submit("refuse")
    beside.running([started, stopped])
    send_stop_job_command(beside.redis, stopped, serializer=JSONSerializer)
    beside.recorded(finished)
    beside.recorded(failed, "failed")
    beside.recorded(stopped, "stopped")
    scheduled = beside.submit("toil", ledger, delay_s=600)
    beside.api.pause("default")
    expired = beside.submit("toil", ledger, expires_in_s=0.1)
    canceled, queued = beside.submit("toil", ledger), beside.submit("toil", ledger, kwargs={"seconds": 0.01})
    beside.api.cancel(canceled)
    beside.recorded(canceled, "canceled")
    beside.recorded(expired, "expired")

    words = {"scheduled": scheduled, "queued": queued, "started": started, "finished": finished, "failed": failed, "stopped": stopped}
    for word, id in {**words, "canceled": canceled, "canceled ": expired}.items():
        job, ours = beside.fetch(id), beside.api.get(id)
        assert job.get_status() == word.strip()
        assert (job.func_name, job.args, job.kwargs, job.origin) == (ours.task, ours.args, ours.kwargs, "default")
        assert (job.timeout, job.worker_name) == (ours.timeout_s, ours.worker)
        assert job.description
        assert job.created_at == ours.created_at
        if word != "scheduled":
            assert job.enqueued_at == ours.enqueued_at
        assert (job.started_at, job.ended_at) == (ours.started_at, ours.ended_at)
    fetched = RqJob.fetch_many(list(words.values()), connection=beside.redis, serializer=JSONSerializer)
    assert [job.id for job in fetched if job] == list(words.values())
    assert beside.execution(started).job_id == started

    gate.touch()
    beside.api.resume("default")
    beside.api.cancel(scheduled)
    beside.recorded(scheduled, "canceled")
    beside.settle()


def test_looking_with_a_clock_an_hour_ahead_changes_nothing(beside: Beside, gate: Path) -> None:
    ledger = str(beside.ledger.path)
    scheduled = beside.submit("toil", ledger, delay_s=600)
    beside.recorded(beside.submit("refuse"), "failed")
    beside.recorded(beside.submit("toil", ledger))
    slots = SLOTS * sum(worker.alive for worker in beside.site.workers)
    held = beside.hold(gate, slots + 2)
    beside.running(held, slots)
    until(lambda: beside.redis.xlen("mp:events") == 0, PATIENCE_S, "all that happened is recorded")
    before = everything(beside)
    kinds = {key.split(":")[1] for key in before}
    assert kinds >= {"job", "queue", "wip", "scheduled", "failed", "finished", "leases"}
    command = [sys.executable, str(ROOT / "tests/rq/clock_ahead.py"), beside.site.redis_url, "10"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout.split()[0]) > time.time() + 3000
    assert done.stdout.count(f"queue default 2, {slots} executing") == 10
    after = everything(beside)
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == set()
    gate.touch()
    beside.api.cancel(scheduled)
    beside.settle()


# What beats, ticks and readers of the stream write all the time.
MOVES = re.compile(r"mp:(beats|missed|tick|keeper|alive:.*|events|catalogue.*)|rq:worker:[^:]+")


def everything(beside: Beside) -> dict[str, Any]:
    """Each key with its value and its end of life, and each worker's display without its heartbeat."""
    found: dict[str, Any] = {}
    for key in (one.decode() for one in beside.redis.scan_iter(count=1000)):
        if not MOVES.fullmatch(key):
            found[key] = (beside.redis.dump(key), beside.redis.pexpiretime(key))
        elif key.startswith("rq:worker:"):
            shown: Any = beside.redis.hgetall(key)
            found[key] = {name: value for name, value in shown.items() if name != b"last_heartbeat"}
    return found
