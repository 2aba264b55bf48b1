"""How one round is timed: the clock runs from when the first of the waiting jobs was taken to when the last result is there.

So a worker that looks for jobs now and then loses nothing by having been idle. Every result is counted; a job that has none, or two,
ends the run.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadtest.stage import Process, RedisServer, cpu_s, wait
from loadtest.worker.counts import Count

PATIENCE_S = 120.0
_STARTING_S = 0.1  # of CPU, for each worker


class Unclean(RuntimeError):
    """Jobs were lost or doubled, so the figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round. `worker_s`, `redis_s`: CPU seconds."""

    jobs: int
    seconds: float
    worker_s: float
    redis_s: float

    @property
    def per_s(self) -> float:
        """Jobs a second."""
        return self.jobs / self.seconds

    @property
    def worker_us(self) -> float:
        """Microseconds of the worker's CPU for each, all its processes together."""
        return self.worker_s / self.jobs * 1e6

    @property
    def redis_us(self) -> float:
        """Microseconds of Redis's CPU for each."""
        return self.redis_s / self.jobs * 1e6

    @property
    def cpu_per_s(self) -> float:
        """Jobs a second if each of the two had a core alone and did not wait for the other."""
        return self.jobs / max(self.worker_s, self.redis_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What is timed. `waiting`: counts the jobs that nobody has ended or taken; `ended`: the results that are kept. `go`: lets the
    workers have the jobs."""

    title: str
    jobs: int
    workers: Sequence[Process]
    server: RedisServer
    waiting: Count
    ended: Count
    go: Callable[[], object]


def measure(one: Round) -> Sample:
    """Time it. Raises Unclean where the results are not one for each job."""
    with one.server.client() as client:
        before = one.ended(client)
        worker_s, redis_s = total_cpu_s(one.workers), cpu_s(one.server.process)
        one.go()
        wait(lambda: one.waiting(client) < one.jobs, f"{one.title} took a job", every_s=0.002)
        began = time.monotonic()
        wait(lambda: not one.waiting(client), f"{one.title} took all jobs", PATIENCE_S)
        wait(lambda: one.ended(client) - before >= one.jobs, f"{one.title} ended all jobs", PATIENCE_S, every_s=0.01)
        seconds = time.monotonic() - began
        worker_s, redis_s = total_cpu_s(one.workers) - worker_s, cpu_s(one.server.process) - redis_s
        if (ended := one.ended(client) - before) != one.jobs:
            raise Unclean(f"{one.title}: {ended} results of {one.jobs} jobs")
    return Sample(jobs=one.jobs, seconds=seconds, worker_s=worker_s, redis_s=redis_s)


def rewrite(server: RedisServer) -> None:
    """Have Redis rewrite its append-only file now, not by itself in one round or another: the fork and the pages that are copied after
    it take up to a third of a round's pace."""
    with server.client() as client:

        def rests() -> bool:
            now = client.info("persistence")
            return not (now["aof_rewrite_in_progress"] or now["aof_rewrite_scheduled"])

        wait(rests, "no rewrite is on its way")
        client.bgrewriteaof()
        wait(rests, "Redis has rewritten its append-only file")


def total_cpu_s(workers: Sequence[Process]) -> float:
    """CPU seconds of all of them so far."""
    return sum(map(cpu_s, workers))


def settle(workers: Sequence[Process], rest_s: float) -> None:
    """Wait until workers have done what they do when they start: until they use hardly any CPU for so long."""
    seen, since = total_cpu_s(workers), time.monotonic()

    def rest() -> bool:
        nonlocal seen, since
        now = total_cpu_s(workers)
        if now - seen > _STARTING_S * len(workers):
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= rest_s

    wait(rest, "the workers have started", PATIENCE_S, every_s=0.1)
