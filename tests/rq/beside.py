"""A Millpond that runs, and RQ beside it: its library, its command, and what they show of each job."""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis
from rq import Queue
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from millpond.client import Client
from millpond.job import Job
from millpond.store import open_store
from tests.system.ledger import Ledger
from tests.system.site import Site
from tests.until import until

RQ = Path(sys.executable).with_name("rq")
PATIENCE_S = 40.0  # nothing here is about speed
HOLDERS = ("rq:queue:", "rq:wip:", "rq:scheduled:", "rq:execution:", "rq:executions:", "mp:leases:", "mp:alone:")

_QUEUE = re.compile(r"queue (\S+) (\d+), (\d+) executing, (\d+) finished, (\d+) failed")
_WORKER = re.compile(r"worker \S+ \(\S+ \S+ (\d+)\) (\w+) ([^.]*)\. jobs: (\d+) finished, (\d+) failed")


@dataclass(frozen=True, slots=True)
class Queued:
    """What ``rq info`` says of a queue."""

    queued: int
    executing: int
    finished: int
    failed: int


@dataclass(frozen=True, slots=True)
class Worker:
    """What ``rq info`` says of a worker."""

    state: str
    queues: str
    finished: int
    failed: int


@dataclass(frozen=True, slots=True)
class Info:
    """All that ``rq info --raw`` says. Workers by the pid of their parent."""

    queues: dict[str, Queued]
    workers: dict[int, Worker]

    @classmethod
    def read(cls, text: str) -> Self:
        """Every line must be understood."""
        queues, workers = {}, {}
        for line in text.splitlines():
            if found := _QUEUE.fullmatch(line):
                queues[found[1]] = Queued(*(int(found[at]) for at in range(2, 6)))
            elif found := _WORKER.fullmatch(line):
                workers[int(found[1])] = Worker(found[2], found[3], int(found[4]), int(found[5]))
            else:
                raise AssertionError(f"rq info says: {line}")
        return cls(queues, workers)


class Beside:
    """A site with the module `toil`, a client of its Redis, its record, and the ids of all jobs that were put. Use it as a context."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.redis = redis.Redis.from_url(site.redis_url, socket_timeout=5)
        self.store = open_store(site.record.url)
        self.queue = Queue("default", connection=self.redis, serializer=JSONSerializer)
        self.ledger = Ledger(site.folder / "held.ledger")
        self.put: list[str] = []

    def __enter__(self) -> Self:
        self.api: Client = self.site.client()
        return self

    def __exit__(self, *_: object) -> None:
        self.api.close()
        self.redis.close()
        self.store.close()

    def submit(self, task: str, *args: Any, **options: Any) -> str:
        """Put a job through the API; answers its id."""
        self.put.append(self.api.submit_body({"task": task, "args": list(args), **options}).id)
        return self.put[-1]

    def enqueue(self, function: str, *args: Any, **options: Any) -> RqJob:
        """Put a job as a stock producer does."""
        job = self.queue.enqueue(function, *args, **options)
        self.put.append(job.id)
        return job

    def hold(self, gate: Path, count: int = 1) -> list[str]:
        """Put jobs that work until the file `gate` exists."""
        return [self.submit("hold", str(self.ledger.path), str(gate)) for _ in range(count)]

    def running(self, jobs: list[str], count: int | None = None) -> None:
        """Wait until so many of these jobs, or all, work."""
        wanted = len(jobs) if count is None else count
        until(lambda: self.at_work(jobs) == wanted, PATIENCE_S, f"{wanted} of {len(jobs)} jobs work")

    def at_work(self, jobs: list[str]) -> int:
        """How many of these jobs work, as they wrote down."""
        return len({stint.job for stint in self.ledger.running()} & set(jobs))

    def fetch(self, id: str) -> RqJob:
        """The job as RQ reads it."""
        return RqJob.fetch(id, connection=self.redis, serializer=JSONSerializer)

    def execution(self, id: str) -> Execution:
        """The one that runs, as RQ reads it: it is shown when it has lasted a moment."""
        [found] = until(lambda: self.fetch(id).get_executions(), PATIENCE_S, f"the execution of {id} is shown")
        return found

    def state(self, id: str) -> str:
        """Our state of it."""
        found: Any = self.redis.hget(f"rq:job:{id}", "state")
        return (found or b"").decode()

    def recorded(self, id: str, status: str = "finished", run: int = 1) -> Job:
        """The job's row, once this run is closed; the status must be this."""

        def row() -> Job | None:
            found = self.store.get(id)
            closed = found and found.final and found.run >= run and not self.redis.sismember("mp:open", id)
            return found if closed else None

        found = until(row, PATIENCE_S, f"{id} is recorded, and open no more ({self.state(id)})", every_s=0.05)
        assert found
        assert (found.status, found.run) == (status, run), found
        return found

    def command(self, *words: str) -> str:
        """What ``rq ...`` prints."""
        done = subprocess.run([RQ, *words, "--url", self.site.redis_url], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def info(self) -> Info:
        """What ``rq info --raw`` prints."""
        return Info.read(self.command("info", "--raw"))

    def by_worker(self, jobs: list[str]) -> Counter[int]:
        """How many of these jobs each worker has ended, as they wrote down; by its parent's pid."""
        parents = {pid: worker.pid for worker in self.site.workers if worker.alive for pid in worker.pids()}
        return Counter(parents[one.pid] for one in self.ledger.stints() if one.job in jobs and one.ended and one.pid in parents)

    def pids(self) -> list[list[int]]:
        """Workers, each with its children."""
        return [worker.pids() for worker in self.site.workers]

    def settle(self) -> None:
        """Require that nothing is stranded: nothing is open or in any place, and each job that was put has its final row."""
        until(lambda: self.redis.scard("mp:open") == 0, PATIENCE_S, f"nothing is open: {self.redis.smembers('mp:open')!r}")
        until(lambda: not self._held(), PATIENCE_S, f"nothing is in any place: {self._held()}")
        self._require_final()

    def settle_own(self) -> None:
        """As `settle`, of the queue `default` and what was put since the last time: others may be at work."""
        until(lambda: not self.put or not any(self.redis.smismember("mp:open", self.put)), PATIENCE_S, "nothing of it is open")
        places = [f"rq:{kind}:default" for kind in ("queue", "wip", "scheduled", "deferred")]
        until(lambda: not self.redis.exists(*places), PATIENCE_S, "nothing is in any place")
        self._require_final()
        self.put.clear()

    def _require_final(self) -> None:
        rows = {id: self.store.get(id) for id in self.put}
        assert not [id for id, row in rows.items() if not row or not row.final]

    def _held(self) -> list[str]:
        return [key for key in (one.decode() for one in self.redis.scan_iter(count=1000)) if key.startswith(HOLDERS)]
