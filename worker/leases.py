"""Settles with Redis what this generation holds: compare, and hand back what is unknown or will not be begun here (rule 4)."""

import math
import time
from functools import partial
from typing import Any, Final

from millpond import moves
from millpond.moves import Comparison, Held
from worker.claims import Claims
from worker.desk import Desk
from worker.held import Holding, Phase
from worker.stop import Stop
from worker.wire import Request

EVERY_S: Final = 1.0
_UNBEGUN_S: Final = 0.1  # how long a job may wait here for a slot; then whoever has one may begin it

_WISHES: Final = {"cancel": Stop.CANCELED, "stop": Stop.STOPPED}


class Leases:
    """Compares every second, and as soon as the connection was made anew."""

    def __init__(self, desk: Desk, claims: Claims) -> None:
        self._desk = desk
        self._claims = claims
        self._strangers: list[Held] = []
        self._settling = 0  # requests to hand back or to bury that are not answered yet
        self._doubts = 0
        self.compare_at = 0.0

    def next_at(self) -> float:
        """When there is something to settle next, on the monotonic clock."""
        return min(self.compare_at, self._stale_at())

    def lost(self) -> None:
        """The connection is gone."""
        self._strangers = []
        self._settling = 0
        self.doubt()

    def doubt(self) -> None:
        """Nothing is sure before a comparison that is made from now on."""
        self.compare_at = 0.0
        self._desk.doubtful = True
        self._doubts += 1

    def due(self, now: float) -> bool:
        """Whether there is something to settle now."""
        unsettled = self._strangers or self._desk.ledger.count(Phase.RETURNING, Phase.DIED)
        return now >= self.next_at() or bool(unsettled and not self._settling)

    def requests(self, now: float) -> list[Request[Any]]:
        """What to hand back, and the comparison if it is time."""
        if now >= self._stale_at():
            self._give_up()
        me = self._desk.me
        found = [] if self._settling else self._settle()
        if now >= self.compare_at:
            self.compare_at = now + EVERY_S
            call = moves.compare(me.worker, me.generation, me.queues, me.alone)
            found.append(Request(call, partial(self._judge, self._doubts)))
        return found

    def _settle(self) -> list[Request[Any]]:
        me, ledger = self._desk.me, self._desk.ledger
        found: list[Request[Any]] = []
        returning, died = ledger.of(Phase.RETURNING), ledger.of(Phase.DIED)
        # Each goes to the head of its queue: the oldest last.
        items = [*sorted(self._strangers, reverse=True), *(one.key for one in reversed(returning))]
        if items:
            call = moves.hand_back(me.worker, me.generation, "items", items=items)
            found.append(Request(call, lambda _: self._settled(returning)))
        if died:
            deaths = [one.death for one in died if one.death]
            found.append(Request(moves.bury(me.worker, me.generation, deaths), lambda _: self._settled(died)))
        self._strangers = []
        self._settling = len(found)
        return found

    def _settled(self, gone: list[Holding]) -> None:
        self._settling -= 1
        for holding in gone:
            self._desk.ledger.drop(holding)
        self._claims.wake()  # hand_back took this generation off the idle

    def _judge(self, doubts: int, found: Comparison) -> None:
        if doubts == self._doubts:
            self._desk.doubtful = False
        if not found.live:
            self._desk.leaving = self._desk.leaving or "retired"
        if found.waiting:
            self._claims.wake()
        if found.held is None:
            return
        self._strangers = [key for key in found.held if key not in self._desk.ledger]
        for holding in self._desk.ledger.all():
            if holding.key not in found.held:
                self._desk.lose(holding)
            elif wish := found.held[holding.key]:
                self._desk.stop(holding, _WISHES[wish])
        if found.idle and time.monotonic() >= self._oldest_at():
            self._give_up()

    def _stale_at(self) -> float:
        """When to give up what waits; inf: never, as somebody has set how much is claimed ahead."""
        return self._oldest_at() if self._claims.by_pace else math.inf

    def _oldest_at(self) -> float:
        """When what waits for the longest has waited too long; inf: nothing waits."""
        first = self._desk.ledger.first(Phase.WAITING)
        return first.since + _UNBEGUN_S if first and not first.asked else math.inf

    def _give_up(self) -> None:
        """Let whoever has a free slot have what would wait here: all of it, or the later ones would come back before the earlier."""
        for holding in self._desk.ledger.of(Phase.WAITING):
            if not holding.asked:
                self._desk.ledger.move(holding, Phase.RETURNING)
