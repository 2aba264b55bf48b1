"""Tells Redis how executions ended, many at once, on each connection again until it answers."""

import itertools
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from millpond import moves
from millpond.moves import Outcome
from worker.desk import Desk
from worker.held import Holding, Phase
from worker.wire import Request

MAX_BYTES: Final = 4_000_000  # of outcomes in one write: it must pass within the socket's 1 s
_RETRY_S: Final = 1.0
_LARGE: Final = 200_000  # bytes of outcomes on their way; more than the socket takes at once, so that the next write would have to wait


class Finishes:
    """`dependents` is called with the id of a finished job on which jobs of stock RQ wait."""

    def __init__(self, desk: Desk, dependents: Callable[[str], None]) -> None:
        self._desk = desk
        self._dependents = dependents
        self._on_the_way = 0  # bytes

    def due(self, now: float) -> list[Holding]:
        """What has ended and is to be told now, its last words said."""
        if self._on_the_way > _LARGE:
            return []
        return [
            one for one in self._desk.ledger.of(Phase.ENDED) if not one.told and one.retry_at <= now and not (one.run and one.run.unsaid)
        ]

    def lost(self) -> None:
        """The connection is gone: what was not answered is told again."""
        for holding in self._desk.ledger.of(Phase.ENDED):
            holding.told = False
        self._on_the_way = 0

    def requests(self, now: float) -> list[Request[Any]]:
        """One request for as many as fit; the rest comes with the next."""
        due = self.due(now)
        if not due:
            return []
        sizes = [*itertools.accumulate(len(_outcome(one).body) for one in due)]
        count = bisect_right(sizes, MAX_BYTES) or 1
        batch = due[:count]
        for holding in batch:
            holding.told = True
        me = self._desk.me
        call = moves.finish(me.worker, me.generation, [_outcome(one) for one in batch])
        self._on_the_way += sizes[count - 1]
        return [Request(call, partial(self._answered, batch, sizes[count - 1]), urgent=self._on_the_way > _LARGE)]

    def _answered(self, batch: Sequence[Holding], size: int, answers: Sequence[str]) -> None:
        self._on_the_way -= size
        for holding, answer in zip(batch, answers, strict=True):
            if answer.startswith("error:"):
                holding.told, holding.retry_at = False, time.monotonic() + _RETRY_S
                continue
            self._desk.ledger.drop(holding)
            if answer in ("done", "dependents"):
                self._desk.ended(holding)
            if answer == "dependents":
                self._dependents(holding.claimed.id)


def _outcome(holding: Holding) -> Outcome:
    assert holding.outcome
    return holding.outcome
