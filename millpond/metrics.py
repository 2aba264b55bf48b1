"""Every metric, declared once: its name, meaning and labels. docs/metrics.md is made from `DECLARED`.

A service exposes only what is declared for it. A label that tells of an error holds the error's code (millpond.errors).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest, start_http_server
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from millpond import buckets
from millpond.errors import BadSetting

Service = Literal["api", "worker", "collector"]

_SILENT_S: Final = 10.0  # a scraper that connects and says nothing must not keep a thread

REGISTRIES: Final[dict[Service, CollectorRegistry]] = {
    "api": CollectorRegistry(),
    "worker": CollectorRegistry(),
    "collector": CollectorRegistry(),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric for docs."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    service: Service
    labels: tuple[str, ...]
    meaning: str


DECLARED: Final[list[Declared]] = []

# Seconds: from a loopback round trip to what a person waits for.
_LATENCIES: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def _counter(service: Service, name: str, meaning: str, *labels: str) -> Counter:
    DECLARED.append(Declared(f"millpond_{name}", "counter", service, labels, meaning))
    return Counter(f"millpond_{name}", meaning, labels, registry=REGISTRIES[service])


def _gauge(service: Service, name: str, meaning: str, *labels: str) -> Gauge:
    DECLARED.append(Declared(f"millpond_{name}", "gauge", service, labels, meaning))
    return Gauge(f"millpond_{name}", meaning, labels, registry=REGISTRIES[service])


def _histogram(service: Service, name: str, meaning: str, *labels: str, buckets: Sequence[float] = _LATENCIES) -> Histogram:
    DECLARED.append(Declared(f"millpond_{name}", "histogram", service, labels, meaning))
    return Histogram(f"millpond_{name}", meaning, labels, registry=REGISTRIES[service], buckets=buckets)


class Sums(Collector):
    """A histogram over `millpond.buckets.TIMES` that another process observes, and tells the sums of."""

    def __init__(self, name: str, meaning: str, labels: Sequence[str]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._sums: dict[tuple[str, ...], list[float]] = {}

    def add(self, labels: tuple[str, ...], sums: Sequence[float]) -> None:
        """Count what was observed since the last time. A scrape's thread may be reading: it finds the old sums, or the new."""
        before = self._sums.get(labels, buckets.nothing())
        self._sums[labels] = [old + new for old, new in zip(before, sums, strict=True)]

    def collect(self) -> Iterator[Metric]:
        """What a scrape sees."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=self._labels)
        bounds: list[str] = [floatToGoString(bound) for bound in (*buckets.TIMES, math.inf)]  # type: ignore[no-untyped-call]
        for labels, (total, *counts) in list(self._sums.items()):
            family.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
        yield family


def _sums(service: Service, name: str, meaning: str, *labels: str) -> Sums:
    DECLARED.append(Declared(f"millpond_{name}", "histogram", service, labels, meaning))
    made = Sums(f"millpond_{name}", meaning, labels)
    REGISTRIES[service].register(made)
    return made


HTTP_REQUESTS: Final = _counter("api", "http_requests_total", "Requests answered.", "route", "method", "status")
HTTP_SECONDS: Final = _histogram("api", "http_request_seconds", "Seconds from a request's head to its answer, waits included.", "route")
ERRORS: Final = _counter("api", "errors_total", "Requests refused or failed, by error code.", "code")
SUBMITTED: Final = _counter(
    "api", "submissions_total", "Submissions that Redis answered: accepted, replayed, mismatch, refused, unreplicated, error.", "answer"
)
BATCH_LINES: Final = _counter("api", "batch_lines_total", "Lines of batches that Redis took: accepted or rejected.", "answer")
SUBMIT_BATCH: Final = _histogram("api", "submit_batch_jobs", "Jobs in one group commit.", buckets=_SIZES)
REDIS_SECONDS: Final = _histogram("api", "redis_seconds", "Seconds of one round trip to Redis.", "move")
WAITING: Final = _gauge("api", "waiting_requests", "Requests that wait for a job to end.")
STREAMS: Final = _gauge("api", "event_streams", "Event streams that are open.")
LOOP_STALL_SECONDS: Final = _histogram(
    "api",
    "loop_stall_seconds",
    "Seconds by which the loop was late for a timer (wall), and how much of that was our own work (cpu).",
    "clock",
    buckets=(0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5),
)
QUEUED: Final = _gauge("api", "queued_jobs", "Jobs that wait in a queue, as of this scrape.", "queue")
STARTED: Final = _gauge("api", "started_jobs", "Jobs that workers hold, as of this scrape.", "queue")
OPEN: Final = _gauge("api", "open_jobs", "Accepted jobs that the database does not hold in a final state, as of this scrape.")
WORKERS: Final = _gauge("api", "workers", "Registered workers, as of this scrape.")
REDIS_USED: Final = _gauge("api", "redis_used_bytes", "Redis's memory as maxmemory counts it, as of this scrape.")
REDIS_MOST: Final = _gauge("api", "redis_max_bytes", "Redis's maxmemory, 0 for none; MILLPOND_REDIS_FULL_AT of it shuts intake.")

JOBS: Final = _counter(
    "worker", "jobs_total", "Executions that ended, by outcome: finished, or the code of what ended it otherwise.", "task", "outcome"
)
RUN_SECONDS: Final = _sums("worker", "run_seconds", "Seconds that the function ran.", "task")
WAIT_SECONDS: Final = _sums("worker", "wait_seconds", "Seconds from a job's entry into its queue to its function's beginning.", "task")
RETRIES: Final = _counter("worker", "retries_total", "Executions that ended and were not the first attempt of their run.", "task")
LOG_LINES: Final = _counter("worker", "log_lines_total", "Lines kept of what jobs said.")
LOG_DROPPED: Final = _counter("worker", "log_dropped_total", "Lines not kept, because the log of the attempt was full.")
SLOTS: Final = _gauge("worker", "slots", "Jobs that run at once at most.")
BUSY_SLOTS: Final = _gauge("worker", "busy_slots", "Functions that run, as of the last half second.")
OLDEST_CLAIM_SECONDS: Final = _gauge("worker", "oldest_claim_seconds", "Seconds since the oldest of the jobs that it holds was claimed.")
CHILD_DEATHS: Final = _counter("worker", "child_deaths_total", "Children that died and were not told to end.")
REDIS_LOSSES: Final = _counter("worker", "redis_losses_total", "Connections to Redis that were lost, by who lost it.", "process")

EVENTS: Final = _counter("collector", "events_total", "Events read from the stream, by kind.", "kind")
RECORDED: Final = _counter("collector", "recorded_jobs_total", "Job rows written, by status; one job is written at each change.", "status")
ATTEMPTS: Final = _counter("collector", "recorded_attempts_total", "Attempt rows written.")
RECORD_SECONDS: Final = _histogram("collector", "record_seconds", "Seconds of one transaction.")
RECORD_LAG_SECONDS: Final = _histogram("collector", "record_lag_seconds", "Seconds from a job's end to the commit of its record.")
RECORD_ERRORS: Final = _counter("collector", "errors_total", "Events or rows that could not be recorded at once, by error code.", "code")
REFUSED_BATCHES: Final = _counter("collector", "refused_batches_total", "Transactions that the database refused and that were halved.")
KEEPER_MOVES: Final = _counter(
    "collector", "keeper_moves_total", "Jobs that the keeper moved: promote, set_free, forget, or a repair's name.", "move"
)
DEAD_WORKERS: Final = _counter("collector", "dead_workers_total", "Workers found dead.")


def expose(service: Service) -> bytes:
    """The service's metrics in Prometheus's text format."""
    return generate_latest(REGISTRIES[service])


def serve(service: Service, port: int) -> None:
    """Answer the service's metrics over HTTP, from a thread of its own; port 0: nowhere. Raises BadSetting for a port that is taken."""
    if not port:
        return
    try:
        server, _ = start_http_server(port, registry=REGISTRIES[service])
    except OSError as error:
        raise BadSetting(f"MILLPOND_METRICS_PORT: {port} cannot be listened on: {error}") from error
    server.RequestHandlerClass.timeout = _SILENT_S  # type: ignore[attr-defined]
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]  # it would print what is no line of our log


def _watch_process(registry: CollectorRegistry) -> None:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)


for _registry in REGISTRIES.values():
    _watch_process(_registry)
