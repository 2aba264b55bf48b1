"""Shows RQ's tools what runs. For a short job that would be a tenth of all it costs Redis, for nobody to see (ADR 0018)."""

import math
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, Final

from millpond import moves
from worker.desk import Desk
from worker.held import Holding, Phase
from worker.wire import Request

LASTS_S: Final = 0.02  # shorter than anybody looks
_LATEST_S: Final = 2 * LASTS_S


class Displays:
    """Shows each execution as it begins. While jobs take less than LASTS_S, only those that do not: with the next write for anything
    else, or one of its own after _LATEST_S."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def next_at(self) -> float:
        """When there must be a write, on the monotonic clock; inf: all that runs is shown."""
        first = next(iter(self._desk.unseen), None)
        if first is None:
            return math.inf
        return _began_at(first) + _LATEST_S if self._are_short() else 0.0

    def requests(self, now: float, beginning: Sequence[Holding]) -> list[Request[Any]]:
        """One request for all that is to be shown, of what runs and of what begins with this write."""
        unseen = self._desk.unseen
        if self._are_short():
            shown = [*takewhile(lambda one: _began_at(one) <= now - LASTS_S, unseen)]
        else:
            shown = [*unseen, *(one for one in beginning if one.phase is Phase.WAITING)]
        for holding in shown:
            holding.displayed = True
            unseen.pop(holding, None)
        call = moves.display(self._desk.me.worker, [one.key for one in shown])
        return [Request(call, lambda _: None, urgent=False)] if shown else []

    def lost(self) -> None:
        """The connection is gone: what was shown on it may not have come through."""
        for holding in self._desk.ledger.all():
            holding.displayed = False
        self._desk.unseen = dict.fromkeys(self._desk.ledger.of(Phase.RUNNING))

    def _are_short(self) -> bool:
        return self._desk.pool.typical_s < LASTS_S


def _began_at(holding: Holding) -> float:
    assert holding.run
    return holding.run.began_at
