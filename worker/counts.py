"""What a child tells its parent, who shows it, of the jobs that ended: sums since the last time, twice a second, over their pipe.

    {"ended": [[task, outcome, number]], "run": {task: sums}, "wait": {task: sums}, "retries": {task: number}, "lines": ..., ...}

Sums are those of `millpond.buckets`. What a killed child had not told yet is not counted.
"""

from collections import Counter, defaultdict
from typing import Any, Final

import orjson

from millpond import buckets
from worker.desk import Desk
from worker.held import Holding
from worker.pipe import Pipe

EVERY_S: Final = 0.5
_TASKS_A_LINE: Final = 20  # a line that the pipe takes whole or not at all


class Counts:
    """Counts in the loop's thread."""

    def __init__(self, desk: Desk, pipe: Pipe) -> None:
        self._desk, self._pipe = desk, pipe
        self._at = 0.0
        self._clear()

    def _clear(self) -> None:
        self._ended: Counter[tuple[str, str]] = Counter()
        self._retries: Counter[str] = Counter()
        self._run: defaultdict[str, list[float]] = defaultdict(buckets.nothing)
        self._wait: defaultdict[str, list[float]] = defaultdict(buckets.nothing)
        self._lines = self._dropped = self._losses = 0

    def ended(self, holding: Holding) -> None:
        """Redis took the outcome of an execution."""
        run, outcome = holding.run, holding.outcome
        assert outcome
        task = run.task.name if run else ""  # what is no task here might have any name
        self._ended[task, outcome.code or outcome.status] += 1
        if not (run and run.began_at):
            return
        buckets.observe(self._run[task], outcome.run_ms / 1000)
        buckets.observe(self._wait[task], _queued_s(holding) + run.began_at - holding.since)
        if run.attempt > 1:
            self._retries[task] += 1
        if run.voice:
            self._lines += run.voice.lines
            self._dropped += run.voice.dropped

    def lost(self) -> None:
        """The connection to Redis was lost."""
        self._losses += 1

    def tell(self, now: float) -> None:
        """Tell what was counted, if it is time."""
        if now < self._at:
            return
        self._at = now + EVERY_S
        ledger = self._desk.ledger
        self._desk.shared.busy = len(self._desk.pool.runs)
        self._desk.shared.oldest_at = min((one.since for one in ledger.all()), default=0.0)
        for part in self._parts():
            self._pipe.say("counts", orjson.dumps(part).decode())

    def _parts(self) -> list[dict[str, Any]]:
        tasks = sorted({task for task, _ in self._ended})
        if not (tasks or self._losses):
            return []
        parts = [self._of(set(tasks[at : at + _TASKS_A_LINE])) for at in range(0, len(tasks), _TASKS_A_LINE)]
        parts.append({"lines": self._lines, "dropped": self._dropped, "losses": self._losses})
        self._clear()
        return parts

    def _of(self, tasks: set[str]) -> dict[str, Any]:
        by_task: dict[str, Any] = {"run": self._run, "wait": self._wait, "retries": self._retries}
        ended = [(*what, number) for what, number in self._ended.items() if what[0] in tasks]
        return {"ended": ended, **{name: {task: sums[task] for task in tasks & sums.keys()} for name, sums in by_task.items()}}


def _queued_s(holding: Holding) -> float:
    """How long it lay in its queue, by Redis's clock: the time of a claim is in the execution's id."""
    claimed_ms = int(holding.claimed.execution.partition("-")[0], 16)
    return max(0, claimed_ms - holding.claimed.number("enqueued_ms", claimed_ms)) / 1000
