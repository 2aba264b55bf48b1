"""The figures of a run as one document: medians of the rounds, ratios round by round, and each goal with whether it was reached."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from loadtest.intake.report import spread
from loadtest.latencies import Latencies
from loadtest.worker import replicas
from loadtest.worker.clusters import WAYS
from loadtest.worker.contenders import CONTENDERS, MILLPOND, SYNCED, Contender
from loadtest.worker.latency import Paced
from loadtest.worker.measure import Sample
from loadtest.worker.run import Figures
from loadtest.worker.slots import POOLS, Pool, Use
from loadtest.worker.sustained import GOAL_PER_S

PER_S, LEAST_PER_S, WORKER_US, REDIS_US = 10_000, 7_000, 100, 80
P50_MS, P99_MS = 5.0, 25.0
OURS = (MILLPOND.name, SYNCED.name)

Document = dict[str, Any]


def document(figures: Figures) -> Document:
    """All of it, each round's figures included; latencies as percentiles."""
    return {
        "size": asdict(figures.size),
        "machine": figures.machine,
        "versions": figures.versions,
        "absent": figures.absent,
        "again": figures.again,
        "noop": {one.name: _noop(figures.noop, one) for one in CONTENDERS if one.name in figures.noop},
        "slots": {pool.name: _slots(pool, figures.slots[pool.name]) for pool in POOLS if pool.name in figures.slots},
        "replicas": {str(number): _replicas(figures, number) for number in figures.replicas},
        "latency": {name: _latency(figures, name) for name in figures.latency},
        "sustained": _sustained(figures),
        "clusters": _clusters(figures),
    }


def goal(value: float, bound: float, at_most: bool = False) -> Document:
    """A goal, and whether it was reached."""
    return {"goal": bound, "reached": value <= bound if at_most else value >= bound}


def _noop(noop: Mapping[str, Sequence[Sample]], one: Contender) -> Document:
    ours, theirs = noop[MILLPOND.name], noop[one.name]
    row: Document = {
        "per_s": median(sample.per_s for sample in theirs),
        "worker_us": median(sample.worker_us for sample in theirs),
        "redis_us": median(sample.redis_us for sample in theirs),
        "ratio": spread([a.per_s / b.per_s for a, b in zip(ours, theirs, strict=True)]),
        "cpu_ratio": spread([a.cpu_per_s / b.cpu_per_s for a, b in zip(ours, theirs, strict=True)]),
        "jobs": sum(sample.jobs for sample in theirs),
        "rounds": [asdict(sample) for sample in theirs],
    }
    return row | {"goals": _our_goals(row) if one.name in OURS else {"ratio": goal(row["ratio"]["median"], one.goal)}}


def _our_goals(row: Document) -> Document:
    return {
        "per_s": goal(row["per_s"], PER_S),
        "least_per_s": goal(row["per_s"], LEAST_PER_S),
        "worker_us": goal(row["worker_us"], WORKER_US, at_most=True),
        "redis_us": goal(row["redis_us"], REDIS_US, at_most=True),
    }


def _slots(pool: Pool, rounds: Sequence[Use]) -> Document:
    part = spread([one.part for one in rounds])
    return {
        "per_s": median(one.per_s for one in rounds),
        "ideal_per_s": median(one.ideal for one in rounds),
        "part": part,
        "goals": {"part": goal(part["median"], pool.goal)},
    }


def _replicas(figures: Figures, number: int) -> Document:
    rounds, first = figures.replicas[number], figures.replicas[min(figures.replicas)]
    part = median(one.part for one in rounds)
    busy = median(one.busy for one in rounds)
    noops = spread([one.noops / alone.noops for one, alone in zip(rounds, first, strict=True)])
    row: Document = {
        "naps_per_s": median(one.naps for one in rounds),
        "ideal_per_s": rounds[0].ideal,
        "part": part,
        "busy": busy,
        "noops_per_s": median(one.noops for one in rounds),
        "noops_to_one": noops,
    }
    naps = {"part": goal(part, replicas.GOAL)} if busy < replicas.BUSY else {}
    return row | {"goals": naps | {"noops": goal(noops["median"], 1.0)}}


def _latency(figures: Figures, name: str) -> Document:
    rounds = figures.latency[name]
    latencies = _latencies(rounds)
    row: Document = {
        "per_s": median(one.per_s for one in rounds),
        "jobs": len(latencies),
        "missing": sum(one.missing for one in rounds),
        "p50_ms": latencies.at(50) * 1000,
        "p99_ms": latencies.at(99) * 1000,
        "p99_ms_rounds": [Latencies(one.latencies_s).at(99) * 1000 for one in rounds],
    }
    if not name.startswith(OURS):
        return row
    best = min((_p99_ms(rounds) for other, rounds in figures.latency.items() if not other.startswith(OURS)), default=P99_MS)
    return row | {
        "goals": {
            "p50_ms": goal(row["p50_ms"], P50_MS, at_most=True),
            "p99_ms": goal(row["p99_ms"], P99_MS, at_most=True),
            "best_peer_ms": goal(row["p99_ms"], best, at_most=True),
        }
    }


def _p99_ms(rounds: Sequence[Paced]) -> float:
    """Of a peer that kept up; one that did not has none."""
    if any(one.missing for one in rounds):
        return float("inf")
    return _latencies(rounds).at(99) * 1000


def _latencies(rounds: Sequence[Paced]) -> Latencies:
    return Latencies(one for paced in rounds for one in paced.latencies_s)


def _sustained(figures: Figures) -> Document | None:
    found = figures.sustained
    if not found:
        return None
    return asdict(found) | {
        "held_per_s": found.held_per_s,
        "steps": [asdict(step) | {"per_s": step.per_s, "held": step.held} for step in found.steps],
        "goals": {"held_per_s": goal(found.held_per_s, GOAL_PER_S)},
    }


def _clusters(figures: Figures) -> Document:
    call_s = figures.size.call_s
    ways = {way.name: way for way in WAYS if way.name in figures.clusters}
    return {
        name: {
            "seconds": figures.clusters[name].seconds,
            "best_s": way.calls * call_s,
            "over_s": figures.clusters[name].seconds - way.calls * call_s,
            "article_s": way.article_s,
        }
        for name, way in ways.items()
    }
