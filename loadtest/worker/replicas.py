"""The same work on more replicas: of jobs that block, and of jobs that do nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from loadtest.stage import Process
from loadtest.worker.measure import Sample
from loadtest.worker.mill import NOOP, Mill, nap

_CORE = re.compile(r"cpu\d")
REPLICAS = (1, 2, 4, 8)
SLOTS = 20
_NAP_S = 0.05
GOAL, BUSY = 0.95, 0.8  # of the ideal, while less than that part of every core is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """One number of replicas. `naps`, `noops`: each round's jobs a second; `busy`: the part of the busiest core that was used with naps."""

    replicas: int
    naps: float
    noops: float
    busy: float

    @property
    def ideal(self) -> float:
        """Jobs a second with every slot busy all the time."""
        return self.replicas * SLOTS / _NAP_S

    @property
    def part(self) -> float:
        """Of the ideal."""
        return self.naps / self.ideal


def scaled(mill: Mill, replicas: int, seconds: float, noops: int) -> Scaled:
    """Naps that take so long at best, then so many jobs that do nothing, on replicas that share the core that one would have alone:
    the other is Redis's. Two crews, each with an empty Redis: more replicas leave it more naps."""
    crew = partial(mill.crew, replicas, env={"MILLPOND_CONCURRENCY": str(SLOTS)})
    with crew() as workers:
        sample, busy = _naps(mill, workers, round(replicas * SLOTS / _NAP_S * seconds))
    with crew() as workers:
        noop = mill.run(workers, NOOP, noops)
    return Scaled(replicas=replicas, naps=sample.per_s, noops=noop.per_s, busy=busy)


def _naps(mill: Mill, workers: Sequence[Process], jobs: int) -> tuple[Sample, float]:
    meter = Meter()
    sample = mill.run(workers, nap(_NAP_S), jobs, meter.start)
    return sample, meter.busy()


class Meter:
    """How busy the busiest core is, with everybody's processes."""

    def start(self) -> None:
        """From now on."""
        self._before = _ticks()

    def busy(self) -> float:
        """The part of that core that was used since then."""
        return max((used - before[0]) / max(1, total - before[1]) for before, (used, total) in zip(self._before, _ticks(), strict=True))


def _ticks() -> list[tuple[int, int]]:
    """Of each core: those that were used, and all (proc(5): user, nice, system, idle, iowait, irq, softirq, steal)."""
    lines = [line.split()[1:9] for line in Path("/proc/stat").read_text().splitlines() if _CORE.match(line)]
    cores = [list(map(int, line)) for line in lines]
    return [(sum(core) - core[3] - core[4], sum(core)) for core in cores]
