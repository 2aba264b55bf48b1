"""Begins what waits: the start mark is on the socket before the function is called (rule 3)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from millpond import moves
from millpond.task import Task
from worker import outcome
from worker.desk import Desk
from worker.held import Holding, Phase
from worker.prepare import prepare
from worker.run import Run
from worker.wire import Request


class Starts:
    """Chooses what begins, writes its mark, and calls it: at once, or for rerun="never" when the mark is confirmed.

    `chosen`: what this turn's write marks, until it is called.
    """

    def __init__(self, desk: Desk, tasks: Mapping[str, Task]) -> None:
        self._desk = desk
        self._tasks = tasks
        self._unanswered: set[Holding] = set()
        self._again: list[Holding] = []
        self.chosen: list[Holding] = []

    def possible(self) -> bool:
        """Whether something could begin now."""
        return self._slots() > 0 and self._desk.fresh() and self._desk.ledger.count(Phase.WAITING) > 0

    def requests(self) -> list[Request[Any]]:
        """The marks to write now: those that a lost connection left unanswered, and those of what begins."""
        self.chosen = self._choose()
        marked = [*self._again, *self.chosen]
        self._again = []
        if not marked:
            return []
        self._unanswered.update(marked)
        me = self._desk.me
        call = moves.start(me.worker, me.generation, [one.key for one in marked])
        return [Request(call, partial(self._answered, marked), urgent=any(one.phase is Phase.ASKING for one in marked))]

    def launch(self) -> None:
        """The marks are on the socket: call the functions that wait for no answer."""
        for holding in self.chosen:
            if holding.phase is Phase.WAITING:
                self._desk.begin(holding)
        self.chosen = []

    def prepare(self) -> None:
        """Read the payloads of what waits, while Redis works and slots are busy."""
        for holding in self._desk.ledger.of(Phase.WAITING):
            self._prepare(holding)

    def lost(self) -> None:
        """The connection is gone. What had not begun is chosen anew; the other marks are written again."""
        self._again = [one for one in self._unanswered if self._desk.ledger.get(one.key) is one and one.phase is not Phase.WAITING]
        self._unanswered.clear()
        self.chosen = []

    def _slots(self) -> int:
        return self._desk.pool.free - self._desk.ledger.count(Phase.ASKING)

    def _choose(self) -> list[Holding]:
        slots = self._slots() if self._desk.fresh() else 0
        chosen: list[Holding] = []
        for holding in self._desk.ledger.of(Phase.WAITING):
            if len(chosen) >= slots:
                break
            if self._can_begin(holding):
                chosen.append(holding)
        return chosen

    def _prepare(self, holding: Holding) -> Run | None:
        """Read its payload; what cannot be begun here ends instead."""
        if holding.run is None:
            prepared = prepare(holding.claimed, self._tasks)
            if not isinstance(prepared, Run):
                self._desk.end(holding, prepared)
                return None
            holding.run = prepared
        return holding.run

    def _can_begin(self, holding: Holding) -> bool:
        if not (run := self._prepare(holding)):
            return False
        if run.stop:
            self._desk.end(holding, outcome.stopped(run))
            return False
        holding.asked = True
        if holding.claimed.hash.get("rerun") == b"never":
            self._desk.ledger.move(holding, Phase.ASKING)
        return True

    def _answered(self, marked: Sequence[Holding], answers: Sequence[str]) -> None:
        for holding, answer in zip(marked, answers, strict=True):
            self._unanswered.discard(holding)
            if self._desk.ledger.get(holding.key) is not holding:
                continue
            if answer != "go":
                self._desk.lose(holding)
            elif holding.phase is Phase.ASKING and holding.run:
                if holding.run.stop:
                    self._desk.end(holding, outcome.stopped(holding.run))
                else:
                    self._desk.begin(holding)
