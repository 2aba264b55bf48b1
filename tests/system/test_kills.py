"""Workers killed with 100 jobs in flight: all run again soon, all are on record once (issue 2, 4).

Each test prints how many jobs its kill hit, those that ran and those that were claimed and did not run yet, and fails if either
is none.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pace import within
from tests.processes import exists
from tests.servers import RedisServer
from tests.system.ledger import Stint, by_job
from tests.system.site import Site, Toil
from tests.until import until

JOBS, IN_FLIGHT, RUNNING = 100, 100, 20
JOB_S, LEFT_S = 1.5, 0.6  # how long a job works, and for how long yet when it is hit


@pytest.fixture(scope="module")
def site(folder: Path, redis_server_url: str) -> Iterator[Site]:
    # By themselves workers claim nothing ahead of jobs this long, and what they had so would be hit by none.
    with Site(folder, redis_server_url, f"sqlite:///{folder}/record.db", PREFETCH=5) as site:
        yield site.start(workers=2)


@contextmanager
def busy(site: Site) -> Iterator[Toil]:
    """A load that waits until all of it is accepted, so that every thread of every worker begins at the same time."""
    with site.client() as client, site.toil(JOB_S, count=JOBS) as load:
        client.pause("default")
        load.join()
        client.resume("default")
        yield load


@dataclass(frozen=True, slots=True)
class Hit:
    """What a worker held when it was stopped at `at` (monotonic)."""

    child: int
    at: float
    ran: list[Stint]
    claimed: set[str]

    def again(self, load: Toil) -> dict[str, Stint]:
        """The next execution of each job that ran."""
        jobs = {stint.job for stint in self.ran}
        return {stint.job: stint for stint in load.ledger.stints() if stint.job in jobs and stint.began > self.at}

    def seconds(self, load: Toil, within_s: float) -> float:
        """How long it took until all that ran, ran again."""
        until(lambda: len(self.again(load)) == len(self.ran), within_s + 10, "every job that was hit runs again")
        return max(stint.began for stint in self.again(load).values()) - self.at


def fresh(load: Toil, pids: list[int]) -> int:
    """The process among these that runs 20 jobs, all of them for long enough yet; 0: none."""
    soon = time.monotonic() - (JOB_S - LEFT_S)
    by_pid = {pid: [stint for stint in load.ledger.running(pid) if stint.began > soon] for pid in pids}
    return next((pid for pid, stints in by_pid.items() if len(stints) >= RUNNING), 0)


def claimed_only(redis: RedisServer, name: str, load: Toil, child: int) -> set[str]:
    """Jobs that a worker holds, by its leases, and that its child has not begun."""
    with redis.client() as client:
        leases = [*client.scan_iter(f"mp:leases:{name}:*")]
        held = {execution.decode().partition(":")[0] for lease in leases for execution in client.hkeys(lease)}
    return held - {stint.job for stint in load.ledger.stints() if stint.pid == child}


def strike(site: Site, redis: RedisServer, load: Toil, number: int, *, whole: bool) -> Hit:
    """Send a signal to the first worker's child, or to all of that worker, when it runs 20 jobs and holds more; see what it hit."""
    worker = site.workers[0]
    child = until(lambda: fresh(load, worker.pids()), 15, "20 jobs run in one process")
    with site.client() as client:
        name = client.get(load.ledger.running(child)[0].job).worker or ""
    in_flight = len(load.unrecorded())
    claimed = until(lambda: fresh(load, [child]) and claimed_only(redis, name, load, child), 15, "it runs 20 and holds more")
    for pid in worker.pids() if whole else [child]:
        os.kill(pid, number)
    at = time.monotonic()
    ran = load.ledger.running(child)
    claimed = (claimed or set()) - {stint.job for stint in load.ledger.stints() if stint.pid == child}
    print(f"\nin flight {in_flight}; hit {len(ran)} that ran and {len(claimed)} that were claimed and did not run yet")
    assert in_flight >= IN_FLIGHT
    assert len(ran) >= RUNNING
    assert claimed
    return Hit(child, at, ran, claimed)


def require_only_these_ran_again(load: Toil, hit: Hit) -> None:
    """What ran when it was hit has two executions, everything else one: also what was only claimed."""
    executions = by_job(load.ledger.stints())
    assert {job for job, own in executions.items() if len(own) > 1} == {stint.job for stint in hit.ran}
    assert all(own[-1].attempt == len(own) <= 2 for own in executions.values())


def test_a_killed_child_s_jobs_run_again_within_2_s(site: Site, redis_server: RedisServer) -> None:
    with busy(site) as load:
        hit = strike(site, redis_server, load, signal.SIGKILL, whole=False)
        seconds = hit.seconds(load, 2)
        load.settle()
    load.judge(hit.child)
    print(f"all ran again after {seconds:.2f} s")
    assert seconds < within(2)
    require_only_these_ran_again(load, hit)
    assert site.workers[0].alive


def test_a_killed_worker_s_jobs_run_on_another_within_6_s(site: Site, redis_server: RedisServer) -> None:
    with busy(site) as load:
        hit = strike(site, redis_server, load, signal.SIGKILL, whole=True)
        seconds = hit.seconds(load, 6)
        load.settle()
    load.judge(hit.child)
    print(f"all ran again after {seconds:.2f} s")
    assert seconds < within(6)
    require_only_these_ran_again(load, hit)
    site.workers.pop(0).close()
    site.add_worker()


def test_the_late_outcome_of_a_worker_that_was_stopped_is_refused(site: Site, redis_server: RedisServer) -> None:
    """It wakes when its jobs run, or have run, elsewhere: what it then says of them is not recorded."""
    with busy(site) as load:
        worker = site.workers[0]
        hit = strike(site, redis_server, load, signal.SIGSTOP, whole=True)
        hit.seconds(load, 6)
        worker.signal_all(signal.SIGCONT)
        load.settle()
        until(lambda: not load.ledger.running(hit.child) or not exists(hit.child), 10, "the late work has ended")
    load.judge(hit.child)
    rows = {row.id: row for row in site.record.jobs(load.name)}
    hits = [rows[stint.job] for stint in hit.ran]
    late = sum(stint.ended is not None for stint in load.ledger.stints() if stint.pid == hit.child and stint.began < hit.at)
    print(f"{late} executions of the stopped worker ended late")
    assert all((row.attempt, row.result["attempt"]) == (2, 2) and row.result["pid"] != hit.child for row in hits)
    require_only_these_ran_again(load, hit)
    until(lambda: worker.alive and len(worker.pids()) > 1, 10, "the worker works again")
