"""The figures as a document, and as the lines that people read.

On a machine that others use too, look at `core`, the share of its core that a server got, and at the ratio by CPU: both sides'
microseconds a request are far steadier than their requests a second. All are medians of the rounds, with the range of the rounds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from loadtest.intake.bulk import Bulk
from loadtest.intake.contenders import CONTENDERS, Contender
from loadtest.intake.rounds import Sample, cpu_ratios, latencies, ratios
from loadtest.intake.run import Figures
from loadtest.latencies import Latencies

P99_GOAL_MS = 25.0
BATCH_GOAL_PER_S, BATCH_GOAL_TIMES = 40_000, 5.0
MEMORY_GOAL_TIMES = 0.5

_US = 1e6


def document(figures: Figures) -> dict[str, Any]:
    """All of it, each round's figures included; latencies as percentiles."""
    return {
        "plan": asdict(figures.plan),
        "machine": figures.machine,
        "versions": figures.versions,
        "absent": figures.absent,
        "refused": figures.refused,
        "closed": {name: _closed(figures, name) for name in figures.closed},
        "open": {name: _open(samples) for name, samples in figures.open.items()},
        "batches": _batches(figures),
        "memory": asdict(figures.memory) if figures.memory else None,
    }


def _closed(figures: Figures, name: str) -> dict[str, Any]:
    samples = figures.closed[name]
    answered = sum(one.answered for one in samples)
    return {
        "per_s": median(one.per_s for one in samples),
        "ratio": spread(ratios(figures.closed["millpond"], samples)),
        "cpu_ratio": spread(cpu_ratios(figures.closed["millpond"], samples)),
        "busy": median(one.busy for one in samples),
        "server_us": median(one.server_us for one in samples),
        "redis_us": sum(one.redis_s for one in samples) / answered * _US if samples[0].queued is not None else None,
        "generator_us": sum(one.generator_s for one in samples) / answered * _US,
        "answer_bytes": samples[-1].answer_bytes,
        "answered": answered,
        "queued": None if samples[0].queued is None else sum(one.queued or 0 for one in samples),
        "rounds": [one.per_s for one in samples],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """The median of the rounds, and their range."""
    return {"median": median(values), "min": min(values), "max": max(values)}


def _open(samples: Sequence[Sample]) -> dict[str, Any]:
    all_latencies = Latencies(latencies(samples))
    return {
        "offered_per_s": samples[0].offered_per_s,
        "per_s": median(one.per_s for one in samples),
        "p50_ms": all_latencies.at(50) * 1000,
        "p99_ms": all_latencies.at(99) * 1000,
        "p99_ms_rounds": [Latencies(one.latencies_s).at(99) * 1000 for one in samples],
        "answered": len(all_latencies),
    }


def _batches(figures: Figures) -> dict[str, Any] | None:
    ours, theirs = figures.uploads, figures.enqueue_many
    if not ours:
        return None
    rounds = list(zip(ours, theirs, strict=True))
    return {
        "jobs": ours[0].jobs,
        "upload": _bulk(ours),
        "enqueue_many": _bulk(theirs),
        "ratio": spread([a.per_s / b.per_s for a, b in rounds]),
        "cpu_ratio": spread([a.cpu_per_s / b.cpu_per_s for a, b in rounds]),
    }


def _bulk(bulks: Sequence[Bulk]) -> dict[str, float]:
    return {
        "per_s": median(one.per_s for one in bulks),
        "sender_us": median(one.sender_s / one.jobs for one in bulks) * _US,
        "redis_us": median(one.redis_s / one.jobs for one in bulks) * _US,
    }


def lines(figures: Figures) -> Iterator[str]:
    """The table of the closed loop, then a line for each other figure."""
    found = document(figures)
    yield "machine: " + ", ".join(f"{name} {value}" for name, value in figures.machine.items())
    for side, versions in figures.versions.items():
        yield f"{side}: " + ", ".join(f"{name} {version}" for name, version in versions.items())
    yield ""
    yield f"{'':<40}{'per s':>8}{'core':>7}{'server us':>11}{'Redis us':>10}{'Millpond to it':>20}{'the same by CPU':>20}"
    yield from (_row(one, found["closed"][one.name]) for one in CONTENDERS if one.name in found["closed"])
    yield from (f"{name}: absent, {why}" for name, why in figures.absent.items())
    yield from (f"a round was done again, {why}" for why in figures.refused)
    yield ""
    yield from (_open_row(name, row) for name, row in found["open"].items())
    yield from _bulk_rows(figures, found["batches"])


def _row(one: Contender, row: dict[str, Any]) -> str:
    redis = "" if row["redis_us"] is None else f"{row['redis_us']:.0f}"
    line = f"{one.title:<40}{row['per_s']:>8,.0f}{row['busy']:>7.0%}{row['server_us']:>11.0f}{redis:>10}"
    if one.name == "millpond":
        return line
    return f"{line}{times(row['ratio']):>20}{times(row['cpu_ratio']):>20}{_goal(row['ratio']['median'], one.goal)}"


def times(ratio: dict[str, float]) -> str:
    """A spread, as people read it."""
    return f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})"


def _goal(value: float, goal: float) -> str:
    return f"; goal {goal:g}: {'reached' if value >= goal else 'missed'}" if goal else ""


def _open_row(name: str, row: dict[str, Any]) -> str:
    goal = f"; goal {P99_GOAL_MS:g}: {'reached' if row['p99_ms'] <= P99_GOAL_MS else 'missed'}" if name == "millpond" else ""
    pace = f"{row['offered_per_s']:,.0f}/s offered, {row['per_s']:,.0f}/s answered"
    return f"open loop, {name}: {pace}, ms from due to answered: p50 {row['p50_ms']:.1f} p99 {row['p99_ms']:.1f}{goal}"


def _bulk_rows(figures: Figures, batches: dict[str, Any] | None) -> Iterator[str]:
    if figures.no_batches:
        yield "batch upload: left out, this Millpond has no /v1/batches (it answered 404)"
    if batches:
        for what in ("upload", "enqueue_many"):
            row, goal = batches[what], BATCH_GOAL_PER_S if what == "upload" else 0
            cpu = f"us of CPU a job: {row['sender_us']:.1f}, Redis {row['redis_us']:.1f}"
            yield f"{what} of {batches['jobs']:,}: {row['per_s']:,.0f} jobs/s, {cpu}{_goal(row['per_s'], goal)}"
        goal_met = _goal(batches["ratio"]["median"], BATCH_GOAL_TIMES)
        yield f"  upload to enqueue_many: {times(batches['ratio'])}, by CPU {times(batches['cpu_ratio'])}{goal_met}"
    if memory := figures.memory:
        yield f"memory a waiting job, {memory.jobs:,} waiting: Millpond {memory.ours:,.0f} B"
        for what, theirs in (("the same redis.conf", memory.theirs), ("Redis's own settings", memory.theirs_stock)):
            verdict = "reached" if memory.ours <= theirs * MEMORY_GOAL_TIMES else "missed"
            yield f"  enqueue_many, {what}: {theirs:,.0f} B, {memory.ours / theirs:.2f}; goal {MEMORY_GOAL_TIMES:g}: {verdict}"
