"""A worker and a collector by hand: the real scripts and the real store, one step at a time, so that a test stops where it likes."""

from collections.abc import Sequence

import redis

from millpond import broker, catalogue, codec, keys, moves
from millpond.attempt import ended_fields
from millpond.job import Job, attempts_from_hash
from millpond.store import Store
from millpond.task import Task


def sleep(seconds: float = 1.0, job_id: int | str | None = None) -> int | str | None:
    """As examples/blocking.py."""
    raise AssertionError("nobody runs it here")


def add(a: int, b: int = 1) -> int:
    """Two whole numbers."""
    raise AssertionError("nobody runs it here")


def echo(value: object = None) -> object:
    """Takes anything."""
    raise AssertionError("nobody runs it here")


def cluster_info_threads(seconds: float = 3.0) -> list[object]:
    """As examples/cluster_info.py."""
    raise AssertionError("nobody runs it here")


TASKS = {one.__name__: Task(name=one.__name__, function=one) for one in (sleep, add, echo, cluster_info_threads)}


class Hand:
    """Works jobs of `queues` under one registered name."""

    def __init__(self, redis_url: str, queues: Sequence[str] = ("default",), name: str = "hand") -> None:
        self.client = redis.Redis.from_url(redis_url, socket_timeout=5)
        self.queues = list(queues)
        self.name = name

    def offer(self) -> None:
        """Publish the tasks and register."""
        catalogue.publish(self.client, TASKS)
        broker.run(self.client, moves.register(self.name, 1, self.queues, {"hostname": "here", "pid": 1}))
        self.beat()

    def beat(self) -> None:
        """Be alive for another 3.5 s."""
        broker.run(self.client, moves.heartbeat(self.name))

    def claim(self, slots: int = 1) -> list[moves.Claimed]:
        """Lease jobs."""
        self.beat()
        return broker.run(self.client, moves.claim(self.name, 1, slots, self.queues)).jobs

    def begin(self, slots: int = 1) -> list[moves.Claimed]:
        """Lease jobs, mark them as started, and show that."""
        jobs = self.claim(slots)
        items = [(job.id, job.execution) for job in jobs]
        assert broker.run(self.client, moves.start(self.name, 1, items)) == ["go"] * len(jobs)
        broker.run(self.client, moves.display(self.name, items))
        return jobs

    def finish(self, *jobs: moves.Claimed, result: object = None) -> None:
        """End them well."""
        body = codec.render({"result": result})
        self._end([moves.Outcome(id=job.id, execution=job.execution, status="finished", body=body) for job in jobs])

    def fail(self, *jobs: moves.Claimed) -> None:
        """End them badly."""
        body = codec.render({"error": {"code": "exception", "message": "ValueError: no", "traceback": "Traceback"}})
        self._end([moves.Outcome(id=one.id, execution=one.execution, status="failed", code="exception", body=body) for one in jobs])

    def _end(self, outcomes: list[moves.Outcome]) -> None:
        assert broker.run(self.client, moves.finish(self.name, 1, outcomes)) == ["done"] * len(outcomes)

    def collect(self, store: Store, *ids: str) -> None:
        """Record every open job, or those, as the collector does."""
        committed = []
        for id in ids or [moves.text(member) for member in self.client.smembers(keys.OPEN)]:
            _, raw = broker.run(self.client, moves.listen(id))
            job = Job.from_hash(id, raw)
            store.record([job], attempts_from_hash(id, raw))
            committed.append(moves.Committed(id, job.version, ended_fields(raw)))
        broker.run(self.client, moves.recorded(committed))

    def hash(self, id: str) -> dict[str, bytes]:
        """A job's hash."""
        _, raw = broker.run(self.client, moves.listen(id))
        return dict(raw)

    def forget(self, *ids: str) -> None:
        """Take the hashes away, as the keeper does after the grace."""
        for id in ids:
            self.client.delete(keys.job(id))
