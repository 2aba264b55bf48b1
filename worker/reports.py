"""What running functions say, on its way to the jobs' hashes: of their progress the newest, of their logs every line that is kept."""

import math
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from millpond import joblog, moves
from millpond.moves import Report
from worker.desk import Desk
from worker.held import Phase
from worker.run import Run
from worker.wire import Request

EVERY_S: Final = 0.1  # a reader sees it as it happens, and a job that never pauses costs ten writes a second
MAX_BYTES: Final = 2_000_000  # of rows in one write, beside the outcomes of `worker.finishes`

_Said = tuple[Run, Report]


class Reports:
    """Tells all news at most every EVERY_S; those of what ended at once, before its end is told. What a lost connection swallowed is
    said again: Redis puts the same lines in the same place."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._at = 0.0
        self._owed: deque[_Said] = deque()  # to be written
        self._unanswered: dict[int, Sequence[_Said]] = {}
        self._writes = 0

    def due(self, now: float) -> bool:
        """Whether there is something to write now."""
        return self.next_at() <= now

    def next_at(self) -> float:
        """When to write next, on the monotonic clock; inf: there are no news."""
        if self._owed or any(map(self._has_ended, self._desk.spoken)):
            return 0.0
        return self._at if self._desk.spoken else math.inf

    def requests(self, now: float) -> list[Request[Any]]:
        """One request for as much as fits."""
        if not self.due(now):
            return []
        self._gather(now)
        batch = self._fitting()
        if not batch:
            return []
        self._writes += 1
        self._unanswered[self._writes] = batch
        call = moves.report([report for _, report in batch])
        return [Request(call, partial(self._answered, self._writes), urgent=False)]

    def lost(self) -> None:
        """The connection is gone: what was not answered is owed again, in the order in which it was said."""
        for run, report in reversed([said for batch in self._unanswered.values() for said in batch]):
            run.owed += 1
            self._owed.appendleft((run, report))
        self._unanswered.clear()

    def _gather(self, now: float) -> None:
        """Take the news of what ended, and if it is time of what runs."""
        spoken = list(self._desk.spoken)
        if now >= self._at:
            self._at = now + EVERY_S
        else:
            spoken = [run for run in spoken if self._has_ended(run)]
        for run in spoken:
            del self._desk.spoken[run]
            if run.key in self._desk.ledger and run.unsaid:
                run.owed += 1
                self._owed.append((run, _report(run)))

    def _fitting(self) -> list[_Said]:
        batch: list[_Said] = []
        size = 0
        while self._owed and (not batch or size + len(self._owed[0][1].rows) <= MAX_BYTES):
            run, report = self._owed.popleft()
            run.owed -= 1
            size += len(report.rows)
            batch.append((run, report))
        return batch

    def _answered(self, write: int, _: Sequence[bool]) -> None:
        # An execution that is not ours any more: its lines are wanted by nobody.
        del self._unanswered[write]

    def _has_ended(self, run: Run) -> bool:
        holding = self._desk.ledger.get(run.key)
        return holding is None or holding.phase in (Phase.ENDED, Phase.DIED)


def _report(run: Run) -> Report:
    assert run.voice
    news = run.voice.take()
    piece = joblog.field(run.run, run.attempt, news.first) if news.rows else ""
    return Report(*run.key, news.progress, piece, news.rows)
