"""Which of many runs is over its time first, asked with each turn of the loop."""

import math
from collections.abc import Set
from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Final

from worker.run import Run

_MORE: Final = 64  # entries of what has ended, before they are dropped


class Dues:
    """`runs`: what is in the slots, and nothing else counts. A run's deadline only ever comes later than it was when it was added, or is
    not known while it waits for a runner."""

    def __init__(self, runs: Set[Run]) -> None:
        self._runs = runs
        self._heap: list[tuple[float, int, Run]] = []
        self._order = count()
        self._stopping: set[Run] = set()

    def add(self, run: Run) -> None:
        """It begins."""
        heappush(self._heap, (run.deadline, next(self._order), run))
        if len(self._heap) > 2 * len(self._runs) + _MORE:
            self._heap = [entry for entry in self._heap if entry[2] in self._runs]
            heapify(self._heap)

    def stop(self, run: Run) -> None:
        """It was told to end."""
        self._stopping.add(run)

    def stopping(self) -> list[Run]:
        """What was told to end, and goes on."""
        if self._stopping:
            self._stopping &= self._runs
        return list(self._stopping)

    def first(self) -> float:
        """The first deadline of what was not told to end yet; inf: there is none."""
        while self._heap:
            at, _, run = self._heap[0]
            if run.stop or run not in self._runs:
                heappop(self._heap)
            elif run.deadline == at:
                return at
            elif run.deadline < math.inf:
                heapreplace(self._heap, (run.deadline, next(self._order), run))
            else:
                return min(one.deadline for one in self._runs if not one.stop)
        return math.inf
