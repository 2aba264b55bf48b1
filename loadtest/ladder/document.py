"""The figures as a document: what is kept beside the page and the pictures that are made of it."""

import math
from dataclasses import asdict
from typing import Any

from loadtest.ladder.climb import Burst
from loadtest.ladder.halfway import SAMPLE_S, Halfway
from loadtest.ladder.run import Figures, Measured, Size


def document(figures: Figures) -> dict[str, Any]:
    """All of it, by the names of rungs and of ways; latencies in milliseconds, other times in seconds."""
    return {
        "size": _size(figures.size),
        "machine": figures.machine,
        "versions": figures.versions,
        "rungs": {name: _rung(one) for name, one in figures.rungs.items()},
        "halfway": [_halfway(one) for one in figures.halfway],
        "clusters": [asdict(row) for row in figures.clusters],
    }


def _size(size: Size) -> dict[str, Any]:
    return {
        "work_s": size.work_s,
        "timeout_s": size.timeout_s,
        "bursts": [shape.name for shape in size.bursts],
        "most": size.most,
        "fall": size.fall.name,
        "half": size.half.name,
        "half_work_s": size.half_work_s,
        "call_s": size.call_s,
    }


def _rung(one: Measured) -> dict[str, Any]:
    return {
        "bursts": {name: _burst(burst) for name, burst in one.bursts.items()},
        "held": asdict(one.capacity),
        "fall": asdict(one.fall),
    }


def _burst(burst: Burst) -> dict[str, Any]:
    return {
        "success": burst.success,
        "p50_ms": burst.latencies.at(50) * 1000,
        "p99_ms": burst.latencies.at(99) * 1000,
        "per_s": burst.per_s,
        "cpu_s": burst.cpu_s,
        "peak_mb": burst.peak_mb,
    }


def _halfway(one: Halfway) -> dict[str, Any]:
    """Instead of each job's time, how many were done in each stretch of `SAMPLE_S`."""
    done = [0] * math.ceil((max(one.done_s) + 1e-9) / SAMPLE_S)
    for at_s in one.done_s:
        done[min(int(at_s / SAMPLE_S), len(done) - 1)] += 1
    return {**{name: value for name, value in asdict(one).items() if name != "done_s"}, "done": done, "sample_s": SAMPLE_S}
