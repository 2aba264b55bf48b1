"""The whole run: one document of figures, made step by step, each step said as it is done."""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from loadtest.intake import bulk
from loadtest.intake.contenders import CONTENDERS, Contender, missing, start
from loadtest.intake.machine import machine, versions
from loadtest.intake.rounds import Plan, Rounds, Sample
from loadtest.stage import NO_LIMIT, REST, SERVER, Product, Stage

OPEN = ("millpond", "rq", "arq", "celery")  # what is also asked at half of its own pace
_OF_CAPACITY = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done. `only`: names of contenders; Millpond is always among them. 0 jobs: that part is left out."""

    plan: Plan = field(default_factory=Plan)
    only: Sequence[str] = ()
    open_loop: bool = True
    batch_jobs: int = 100_000
    memory_jobs: int = 1_000_000


QUICK = Size(plan=Plan(rounds=1, seconds=0.3), batch_jobs=2_000, memory_jobs=2_000)


@dataclass(slots=True)
class Figures:
    """What was measured. `absent`: contender -> why it took no part; `refused`: rounds that were done again; `no_batches`: this
    Millpond has no /v1/batches."""

    plan: Plan
    machine: dict[str, object] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    refused: Sequence[str] = ()
    closed: dict[str, list[Sample]] = field(default_factory=dict)
    open: dict[str, list[Sample]] = field(default_factory=dict)
    uploads: list[bulk.Bulk] = field(default_factory=list)
    enqueue_many: list[bulk.Bulk] = field(default_factory=list)
    no_batches: bool = False
    memory: bulk.Memory | None = None


def run(size: Size, say: Callable[[str], None]) -> Figures:
    """Measure all that `size` asks for. Raises Unclean where an answer or a job is not as it must be."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {REST})  # what is measured has its core alone
    figures = Figures(size.plan)
    with tempfile.TemporaryDirectory(prefix="millpond-intake-") as name, Stage(Path(name)) as stage:
        say(f"servers start, on core {SERVER}")
        figures.machine = machine(stage.folder)
        product = stage.product(MILLPOND_DURABILITY="everysec")  # what it accepts at least: rounds set what Redis does
        product.know_tasks()
        figures.versions = versions(product.redis)
        _requests(stage, product, size, figures, say)
        _bulk(stage, product, size, figures, say)
    return figures


def _requests(stage: Stage, product: Product, size: Size, figures: Figures, say: Callable[[str], None]) -> None:
    running = start(stage, product, _present(size.only, figures))
    rounds = Rounds(size.plan)
    figures.refused = rounds.refused
    say(f"closed loop: {len(running)} contenders, {size.plan.rounds} rounds of {size.plan.seconds:g} s")
    figures.closed = rounds.closed(running)
    if size.open_loop:
        offered = [(one, _half(figures.closed[one.contender.name])) for one in running if one.contender.name in OPEN]
        say(f"open loop: {len(offered)} contenders at half of their pace")
        figures.open = rounds.open(offered)


def _bulk(stage: Stage, product: Product, size: Size, figures: Figures, say: Callable[[str], None]) -> None:
    peers = stage.redis("bulk")
    if size.batch_jobs:
        say(f"uploads of {size.batch_jobs:,} jobs")
        figures.uploads, figures.enqueue_many = bulk.batches(product, peers, size.batch_jobs, size.plan.rounds)
        figures.no_batches = not figures.uploads
    if size.memory_jobs:
        say(f"memory of {size.memory_jobs:,} waiting jobs")
        figures.memory = bulk.memory(product, peers, stage.redis("stock", NO_LIMIT | bulk.STOCK_HASHES), size.memory_jobs)


def _present(only: Sequence[str], figures: Figures) -> list[Contender]:
    wanted = [one for one in CONTENDERS if not only or one.name in ("millpond", *only)]
    figures.absent = {one.name: why for one in wanted if (why := missing(one))}
    return [one for one in wanted if one.name not in figures.absent]


def _half(samples: Sequence[Sample]) -> float:
    return median(sample.per_s for sample in samples) * _OF_CAPACITY
