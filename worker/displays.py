"""Shows RQ's tools what runs. For a short job that would be a tenth of all it costs Redis, for nobody to see (ADR 0018)."""

import math
from typing import Any, Final

from millpond import moves
from worker.desk import Desk
from worker.held import Phase
from worker.wire import Request

LASTS_S: Final = 0.02  # shorter than anybody looks


class Displays:
    """Shows each execution as it begins; but while jobs take less than LASTS_S, only those that do not."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._at = self._looked_at = 0.0

    def next_at(self) -> float:
        """When there may be something to show, on the monotonic clock; inf: all that runs is shown."""
        newest = self._desk.ledger.last(Phase.RUNNING)
        if newest is None or newest.displayed:
            return math.inf
        return self._at if self._are_short() else 0.0

    def requests(self, now: float) -> list[Request[Any]]:
        """One request for all that is to be shown."""
        if now < self.next_at():
            return []
        latest = self._looked_at if self._are_short() else now
        self._at, self._looked_at = now + LASTS_S, now
        running = self._desk.ledger.of(Phase.RUNNING)
        lasting = [one for one in running if one.run and one.run.began_at <= latest and not one.displayed]
        for holding in lasting:
            holding.displayed = True
        call = moves.display(self._desk.me.worker, [one.key for one in lasting])
        return [Request(call, lambda _: None, urgent=False)] if lasting else []

    def lost(self) -> None:
        """The connection is gone: what was shown on it may not have come through."""
        for holding in self._desk.ledger.of(Phase.RUNNING):
            holding.displayed = False

    def _are_short(self) -> bool:
        return self._desk.pool.typical_s < LASTS_S
