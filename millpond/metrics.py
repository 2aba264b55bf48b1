"""Every metric, declared once: its name, meaning and labels. docs/metrics.md is made from `DECLARED`.

A service exposes only what is declared for it. A label that tells of an error holds the error's code (millpond.errors).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

Service = Literal["api", "worker", "collector"]

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

EVENTS: Final = _counter("collector", "events_total", "Events read from the stream, by kind.", "kind")
RECORDED: Final = _counter("collector", "recorded_jobs_total", "Job rows written, by status; one job is written at each change.", "status")
ATTEMPTS: Final = _counter("collector", "recorded_attempts_total", "Attempt rows written.")
RECORD_SECONDS: Final = _histogram("collector", "record_seconds", "Seconds of one transaction.")
RECORD_LAG_SECONDS: Final = _histogram("collector", "record_lag_seconds", "Seconds from a job's end to the commit of its record.")
RECORD_ERRORS: Final = _counter("collector", "errors_total", "Events or rows that could not be recorded at once, by error code.", "code")
KEEPER_MOVES: Final = _counter(
    "collector", "keeper_moves_total", "What the keeper did: take_back, promote, forget, or a repair's name.", "move"
)
DEAD_WORKERS: Final = _counter("collector", "dead_workers_total", "Workers found dead.")


def expose(service: Service) -> bytes:
    """The service's metrics in Prometheus's text format."""
    return generate_latest(REGISTRIES[service])


def _watch_process(registry: CollectorRegistry) -> None:
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)


for _registry in REGISTRIES.values():
    _watch_process(_registry)
