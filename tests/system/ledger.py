"""What the tasks themselves wrote down (tests/tasks/toil.py): who worked on which job, when, in which attempt."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Stint:
    """One execution of a job as its function saw it. Times are monotonic seconds of this machine; `ended` None: it did not."""

    job: str
    attempt: int
    pid: int
    began: float
    began_wall: float
    ended: float | None = None
    ended_wall: float | None = None


class Ledger:
    """The file, made empty at once; tasks append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text("")

    def stints(self) -> list[Stint]:
        """All executions so far, in the order of their beginning."""
        begun: list[tuple[str, int, int, float, float]] = []
        ends: dict[tuple[str, int, int], list[tuple[float, float]]] = defaultdict(list)
        for line in self.path.read_text().splitlines():
            job, attempt, phase, pid, monotonic, wall = line.split()
            key = (job, int(attempt), int(pid))
            if phase == "begin":
                begun.append((*key, float(monotonic), float(wall)))
            else:
                ends[key].append((float(monotonic), float(wall)))
        return [Stint(*one, *(ends[one[:3]].pop(0) if ends[one[:3]] else (None, None))) for one in sorted(begun, key=lambda b: b[3])]

    def running(self, pid: int | None = None) -> list[Stint]:
        """Executions that have begun and not ended, of one process or of all."""
        return [stint for stint in self.stints() if stint.ended is None and pid in (None, stint.pid)]

    def pids(self) -> set[int]:
        """The processes that have worked."""
        return {stint.pid for stint in self.stints()}


def by_job(stints: list[Stint]) -> dict[str, list[Stint]]:
    """The executions of each job, in order."""
    found: dict[str, list[Stint]] = defaultdict(list)
    for stint in stints:
        found[stint.job].append(stint)
    return found


def begun_twice(stints: list[Stint]) -> list[str]:
    """Jobs of which one attempt began more than once."""
    times = Counter((stint.job, stint.attempt) for stint in stints)
    return sorted({job for (job, _), count in times.items() if count > 1})


def overlapping(stints: list[Stint], dead: set[int]) -> list[str]:
    """Jobs of which an execution began while another had not ended, in a process that is not among the `dead`."""
    found = set()
    for job, own in by_job(stints).items():
        for one, next_one in pairwise(own):
            if one.pid not in dead and (one.ended is None or one.ended > next_one.began):
                found.add(job)
    return sorted(found)
