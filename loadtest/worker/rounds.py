"""One round of one contender: its queue is filled while nobody may take from it, its worker waits, and the clock runs from when the
jobs may be had to when the last result is there. Every result is counted; a job that has none ends the run."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from loadtest.generator import Load
from loadtest.stage import REST, ROOT, Process, Product, RedisServer, Stage, cpu_s, drive, pinned, stop, wait
from loadtest.worker.contenders import Contender
from millpond.client import Client

_PATIENCE_S = 300.0
_REST_S = 1.0  # in which a worker that has started uses no more CPU for that
_BEFORE = '{"task": "noop", "args": [{"number": '
_AFTER = ', "name": "payload of about one hundred bytes", "flag": true}]}'


class Unclean(RuntimeError):
    """Jobs were lost or doubled, so the figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round of one contender. `worker_s`, `redis_s`: CPU seconds."""

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


class Rounds:
    """`jobs`: Millpond's, a round; the others get their share. `peers`: a Redis with the same settings as Millpond's own."""

    def __init__(self, stage: Stage, product: Product, peers: RedisServer, jobs: int) -> None:
        self._stage, self._product, self._peers, self._jobs = stage, product, peers, jobs

    def round(self, one: Contender) -> Sample:
        """One round."""
        return self._ours(one) if one.command == ("worker",) else self._theirs(one, max(1, int(self._jobs * one.share)))

    def _ours(self, one: Contender) -> Sample:
        with Client(self._product.url) as client, self._product.redis.client() as redis:
            client.pause("default")
            load = Load(port=self._product.port, path="/v1/jobs", before=_BEFORE, after=_AFTER, seconds=600, requests=self._jobs)
            if (outcome := drive(load)).statuses != {202: self._jobs}:
                raise Unclean(f"{self._jobs} submissions: answers by status {outcome.statuses}")
            worker = self._product.worker()
            wait(lambda: redis.scard("mp:idle:default"), "the worker waits")
            return self._measure(one, worker, self._product.redis, self._jobs, lambda: client.resume("default"))

    def _theirs(self, one: Contender, jobs: int) -> Sample:
        port = str(self._peers.port)
        with self._peers.client() as redis:
            redis.flushall()
            filling = [*pinned(REST), one.python, "-m", f"loadtest.peers.{one.peer}", str(jobs)]
            subprocess.run(filling, cwd=ROOT, env={"PEER_REDIS_PORT": port}, check=True, capture_output=True, timeout=_PATIENCE_S)
            redis.rename(one.queue, "aside")
            worker = self._stage.run(*one.command, core=0, python=one.python, PEER_REDIS_PORT=port)
            connections = redis.info("clients")["connected_clients"]
            wait(lambda: redis.info("clients")["connected_clients"] > connections, f"{one.title} is there")
            return self._measure(one, worker, self._peers, jobs, lambda: redis.rename("aside", one.queue))

    def _measure(self, one: Contender, worker: Process, server: RedisServer, jobs: int, go: Callable[[], object]) -> Sample:
        _settle(worker)
        with server.client() as client:
            before = one.ended(client)
            worker_s, redis_s, began = cpu_s(worker), cpu_s(server.process), time.monotonic()
            go()
            wait(lambda: not client.exists(one.queue), f"{one.title} took all jobs", _PATIENCE_S)
            wait(lambda: one.ended(client) - before >= jobs, f"{one.title} ended all jobs", _PATIENCE_S)
            seconds = time.monotonic() - began
            sample = Sample(jobs=jobs, seconds=seconds, worker_s=cpu_s(worker) - worker_s, redis_s=cpu_s(server.process) - redis_s)
            stop(worker)
            _demand_clean(one, client, one.ended(client) - before, jobs)
        return sample


def _settle(worker: Process) -> None:
    """Wait until a worker has done what it does when it starts."""
    seen, since = cpu_s(worker), time.monotonic()

    def rests() -> bool:
        nonlocal seen, since
        now = cpu_s(worker)
        if now - seen > 0.1:
            seen, since = now, time.monotonic()
        return time.monotonic() - since >= _REST_S

    wait(rests, "the worker has started", every_s=0.1)


def _demand_clean(one: Contender, client: redis.Redis, ended: int, jobs: int) -> None:
    if ended != jobs or client.exists(one.queue):
        raise Unclean(f"{one.title}: {ended} results of {jobs} jobs")
