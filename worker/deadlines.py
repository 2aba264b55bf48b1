"""Ends functions that run too long, and gives up on those that do not end when told."""

import math

from worker import outcome
from worker.desk import Desk
from worker.held import Phase
from worker.run import Run


class Deadlines:
    """Looks at what runs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def next_at(self) -> float:
        """When there is something to do, on the monotonic clock; inf: nothing."""
        dues = self._desk.pool.dues
        return min([dues.first(), *map(_due, dues.stopping())])

    def enforce(self, now: float) -> None:
        """Tell what is over its time to end; end by force what was told and did not."""
        if now < self.next_at():
            return
        for run in list(self._desk.pool.runs):
            if _due(run) > now:
                continue
            if not run.stop:
                self._desk.pool.stop(run, run.overtime)
            elif self._desk.pool.leave(run):
                self._record(run)

    def _record(self, run: Run) -> None:
        """It goes on, and can only be left to itself. Another attempt must not run beside it, so that waits for its end."""
        holding = self._desk.ledger.get(run.key)
        if holding and holding.phase is Phase.RUNNING:
            how = outcome.stopped(run)
            if outcome.is_tried_again(run, how):
                self._desk.keep_back(holding, how)
            else:
                self._desk.end(holding, how)


def _due(run: Run) -> float:
    if run.forced:
        return math.inf
    return run.stopped_at + run.unwind_s if run.stop else run.deadline
