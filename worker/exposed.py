"""A worker's metrics, served over HTTP by the parent: a child that hangs, or is killed, takes none of them along."""

from collections.abc import Iterable

import orjson

from millpond import metrics
from millpond.settings import WorkerSettings
from worker.measures import Measures
from worker.process import ChildProcess


class Exposed(Measures):
    """Counts into `millpond.metrics`. A thread of the library answers; it only reads, so the parent's turns wait for nobody."""

    def __init__(self, settings: WorkerSettings) -> None:
        metrics.SLOTS.set(settings.concurrency)
        metrics.serve("worker", settings.metrics_port)

    def add(self, told: str) -> None:
        sums = orjson.loads(told)
        for task, outcome, number in sums.get("ended", ()):
            metrics.JOBS.labels(task, outcome).inc(number)
        for task, values in sums.get("run", {}).items():
            metrics.RUN_SECONDS.add((task,), values)
        for task, values in sums.get("wait", {}).items():
            metrics.WAIT_SECONDS.add((task,), values)
        for task, number in sums.get("retries", {}).items():
            metrics.RETRIES.labels(task).inc(number)
        metrics.LOG_LINES.inc(sums.get("lines", 0))
        metrics.LOG_DROPPED.inc(sums.get("dropped", 0))
        metrics.REDIS_LOSSES.labels("child").inc(sums.get("losses", 0))

    def child_died(self) -> None:
        metrics.CHILD_DEATHS.inc()

    def redis_lost(self) -> None:
        metrics.REDIS_LOSSES.labels("parent").inc()

    def look(self, children: Iterable[ChildProcess], now: float) -> None:
        cells = [child.shared for child in children]
        oldest_at = min((one.oldest_at for one in cells if one.oldest_at), default=now)
        metrics.BUSY_SLOTS.set(sum(one.busy for one in cells))
        metrics.OLDEST_CLAIM_SECONDS.set(max(0.0, now - oldest_at))
