"""The whole run: rounds in turn, and their figures as a document and as lines. All are medians of the rounds."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from loadtest.intake.contenders import PEERS_PYTHON
from loadtest.intake.machine import machine, versions
from loadtest.stage import REST, Stage
from loadtest.worker.contenders import CONTENDERS, Contender
from loadtest.worker.rounds import Rounds, Sample

GOAL_PER_S, GOAL_WORKER_US, GOAL_REDIS_US = 10_000, 100, 80


@dataclass(slots=True)
class Figures:
    """What was measured. `absent`: contender -> why it took no part."""

    machine: dict[str, object] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    rounds: dict[str, list[Sample]] = field(default_factory=dict)


def run(jobs: int, rounds: int, only: Sequence[str], say: Callable[[str], None]) -> Figures:
    """Measure. Raises Unclean where a job has no result, or two."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {REST})  # the worker has its core alone
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="millpond-worker-") as name, Stage(Path(name)) as stage:
        figures.machine = machine(stage.folder)
        product = stage.product()
        product.know_tasks()
        figures.versions = versions(product.redis)
        bench = Rounds(stage, product, stage.redis("peers"), jobs)
        for number in range(rounds):
            for one in _present(only, figures):
                say(f"round {number + 1} of {rounds}: {one.title}")
                figures.rounds.setdefault(one.name, []).append(bench.round(one))
    return figures


def _present(only: Sequence[str], figures: Figures) -> Iterator[Contender]:
    for one in CONTENDERS:
        if only and one.name not in ("millpond", *only):
            continue
        if one.python == str(PEERS_PYTHON) and not PEERS_PYTHON.exists():
            figures.absent[one.name] = "its packages are not installed: `make bench-worker` does that"
        else:
            yield one


def document(figures: Figures) -> dict[str, Any]:
    """All of it, each round's figures included."""
    return {
        "machine": figures.machine,
        "versions": figures.versions,
        "absent": figures.absent,
        "contenders": {name: _row(figures, name) for name in figures.rounds},
    }


def _row(figures: Figures, name: str) -> dict[str, Any]:
    ours, theirs = figures.rounds["millpond"], figures.rounds[name]
    return {
        "per_s": median(one.per_s for one in theirs),
        "worker_us": median(one.worker_us for one in theirs),
        "redis_us": median(one.redis_us for one in theirs),
        "ratio": median(a.per_s / b.per_s for a, b in zip(ours, theirs, strict=True)),
        "cpu_ratio": median(a.cpu_per_s / b.cpu_per_s for a, b in zip(ours, theirs, strict=True)),
        "rounds": [asdict(one) for one in theirs],
    }


def lines(figures: Figures) -> Iterator[str]:
    """The table, and how far it is from the goals."""
    found = document(figures)
    yield "machine: " + ", ".join(f"{name} {value}" for name, value in figures.machine.items())
    for side, named in figures.versions.items():
        yield f"{side}: " + ", ".join(f"{name} {version}" for name, version in named.items())
    yield ""
    yield f"{'':<32}{'jobs/s':>8}{'worker us':>11}{'Redis us':>10}{'Millpond to it':>16}{'by CPU':>9}  a job of a killed worker"
    yield from (_line(one, found["contenders"][one.name]) for one in CONTENDERS if one.name in found["contenders"])
    yield from (f"{name}: absent, {why}" for name, why in figures.absent.items())
    row = found["contenders"]["millpond"]
    goals = (
        ("jobs/s", row["per_s"], GOAL_PER_S, row["per_s"] >= GOAL_PER_S),
        ("worker us", row["worker_us"], GOAL_WORKER_US, row["worker_us"] <= GOAL_WORKER_US),
        ("Redis us", row["redis_us"], GOAL_REDIS_US, row["redis_us"] <= GOAL_REDIS_US),
    )
    yield from (f"{what}: {value:,.0f}; goal {goal:,}: {'reached' if met else 'missed'}" for what, value, goal, met in goals)


def _line(one: Contender, row: dict[str, Any]) -> str:
    line = f"{one.title:<32}{row['per_s']:>8,.0f}{row['worker_us']:>11,.0f}{row['redis_us']:>10,.0f}"
    if one.name == "millpond":
        return f"{line}{'':>25}  {one.guarantee}"
    goal = f"; goal {one.goal:g}: {'reached' if row['ratio'] >= one.goal else 'missed'}" if one.goal else ""
    return f"{line}{row['ratio']:>16.1f}{row['cpu_ratio']:>9.1f}  {one.guarantee}{goal}"
