"""The same work on more replicas: of jobs that block, and of jobs that do nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.stage import EVERYWHERE, Process
from loadtest.worker.measure import Sample
from loadtest.worker.mill import NOOP, Mill, nap

REPLICAS = (1, 2, 4, 8)
SLOTS = 20
_NAP_S = 0.05
GOAL, BUSY = 0.95, 0.8  # of the ideal, while less than that part of all cores is used


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """One number of replicas. `naps`, `noops`: each round's jobs a second; `busy`: the part of all cores that was used with naps."""

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
    """Naps that take so long at best, then so many jobs that do nothing, on replicas that share all cores."""
    with mill.crew(replicas, EVERYWHERE, {"MILLPOND_CONCURRENCY": str(SLOTS)}) as workers:
        sample, busy = _naps(mill, workers, round(replicas * SLOTS / _NAP_S * seconds))
        noop = mill.run(workers, NOOP, noops)
    return Scaled(replicas=replicas, naps=sample.per_s, noops=noop.per_s, busy=busy)


def _naps(mill: Mill, workers: Sequence[Process], jobs: int) -> tuple[Sample, float]:
    meter = Meter()
    sample = mill.run(workers, nap(_NAP_S), jobs, meter.start)
    return sample, meter.busy()


class Meter:
    """How busy the machine is, everybody's processes together."""

    def start(self) -> None:
        """From now on."""
        self._used, self._all = _ticks()

    def busy(self) -> float:
        """The part of all cores that was used since then."""
        used, total = _ticks()
        return (used - self._used) / max(1, total - self._all)


def _ticks() -> tuple[int, int]:
    # The first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal of all cores together (proc(5)).
    user, nice, system, idle, iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    used = user + nice + system + irq + softirq + steal
    return used, used + idle + iowait
