"""End to end: API and worker on one core; Redis, PostgreSQL, the collector and the load on the other one.

A rate is held when every submission is accepted, in time, and the last one is on record a second after it was answered.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest import postgres
from loadtest.generator import Load
from loadtest.stage import Process, Product, Stage, cpu_s, drive, wait
from loadtest.worker.counts import in_set
from loadtest.worker.measure import PATIENCE_S
from loadtest.worker.mill import NOOP, Mill

GOAL_PER_S = 2_000
_STEP = 500
_HELD_S = 1.0
_IN_TIME = 0.95  # of the offered rate
_ACCEPTED = 202
_open = in_set("mp:open")  # accepted, and not on record as ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One offered rate. `behind_s`: from the last answer to when all was on record."""

    offered_per_s: float
    accepted: int
    refused: int
    seconds: float
    behind_s: float

    @property
    def held(self) -> bool:
        """Whether it left no backlog."""
        return not self.refused and self.per_s >= self.offered_per_s * _IN_TIME and self.behind_s <= _HELD_S

    @property
    def per_s(self) -> float:
        """Accepted a second."""
        return self.accepted / self.seconds


@dataclass(slots=True)
class Sustained:
    """`drained_per_s`: from the first start to the last record of jobs that waited; `cpu_us`: of each service for one of them;
    `steps`: the offered rates."""

    drained_per_s: float = 0.0
    cpu_us: dict[str, float] = field(default_factory=dict)
    steps: list[Held] = field(default_factory=list)

    @property
    def held_per_s(self) -> float:
        """The highest rate that left no backlog; 0 if none."""
        return max((step.offered_per_s for step in self.steps if step.held), default=0.0)


def sustained(programs: Path, jobs: int, seconds: float, rest_s: float) -> Sustained:
    """Measure, with a Millpond of its own. `programs`: where PostgreSQL's are."""
    with tempfile.TemporaryDirectory(prefix="millpond-sustained-") as name, Stage(Path(name)) as stage:
        database = postgres.start(stage, programs)
        mill = Mill(stage.product(MILLPOND_DATABASE_URL=database.url), rest_s)
        mill.product.know_tasks()
        with mill.crew() as workers:
            services = {"worker": workers[0], "Redis": mill.product.redis.process, "collector": mill.product.collector()}
            found = _drained(mill, workers, {**services, "PostgreSQL": database.process}, jobs)
            found.steps = list(_steps(mill.product, seconds))
    return found


def _drained(mill: Mill, workers: Sequence[Process], services: dict[str, Process], jobs: int) -> Sustained:
    marks: dict[str, float] = {}
    began = 0.0

    def mark() -> None:
        nonlocal began
        _wait_for_record(mill.product, left=jobs)
        marks.update({name: cpu_s(process) for name, process in services.items()})
        began = time.monotonic()

    mill.run(workers, NOOP, jobs, mark)
    _wait_for_record(mill.product)
    seconds = time.monotonic() - began
    return Sustained(jobs / seconds, {name: (cpu_s(process) - marks[name]) / jobs * 1e6 for name, process in services.items()})


def _wait_for_record(product: Product, left: int = 0) -> None:
    """Until no more jobs are open than `left`, and no event waits for the collector."""
    with product.redis.client() as client:
        wait(lambda: _open(client) <= left and not client.xlen("mp:events"), "all is on record", PATIENCE_S, every_s=0.01)


def _steps(product: Product, seconds: float) -> Iterator[Held]:
    """The goal first, then upwards while it is held, or downwards until it is."""
    step = _held(product, GOAL_PER_S, seconds)
    yield step
    direction = _STEP if step.held else -_STEP
    while step.held == (direction > 0) and step.offered_per_s + direction > 0:
        step = _held(product, step.offered_per_s + direction, seconds)
        yield step


def _held(product: Product, per_s: float, seconds: float) -> Held:
    outcome = drive(Load(port=product.port, path="/v1/jobs", before=NOOP.before, after=NOOP.after, seconds=seconds, per_s=per_s))
    answered = time.monotonic()
    _wait_for_record(product)
    accepted = outcome.statuses.get(_ACCEPTED, 0)
    return Held(
        offered_per_s=per_s,
        accepted=accepted,
        refused=sum(outcome.statuses.values()) - accepted,
        seconds=outcome.seconds,
        behind_s=time.monotonic() - answered,
    )
