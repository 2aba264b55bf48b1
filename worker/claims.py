"""When the child claims, and how much: as many jobs as it has free slots, and a few more while jobs are short and nobody else is idle."""

import math
import time
from functools import partial
from typing import Any, Final

from millpond import moves
from worker.desk import Desk
from worker.held import Phase
from worker.pace import Pace
from worker.waker import Waker
from worker.wire import Request

_NOT_ALIVE_S: Final = 0.2  # the parent's next heartbeat comes within 0.5 s
_SHORT_S: Final = 0.1  # who runs longer loses little while the next is fetched
_AHEAD_S: Final = 0.01  # of work: there when slots come free, and the next claim is answered before it is gone
_MOST_SETS: Final = 4  # slots' worth of jobs ahead: what a lost worker's successor finds claimed and not begun
_FAIR: Final = 10  # one claim of so many is fair, so that no queue starves


class Claims:
    """`idle`: the last claim left a slot free, so that the child is listed in mp:idle and a token wakes it. `asked`: a claim is not
    answered yet. `prefetch`: jobs to claim ahead; -1: as many as end in `_AHEAD_S` at the present pace, while jobs are short."""

    def __init__(self, desk: Desk, waker: Waker, prefetch: int) -> None:
        self._desk = desk
        self._waker = waker
        self._prefetch = prefetch
        self._claim_at = 0.0
        self._opens_at = math.inf  # a gate, as the last claim was told
        self._made = 0
        self._pace = Pace()
        self._emptied = False  # the last claim got less than it asked for
        self._woken = False  # since the last claim was made
        self.others_idle = False
        self.idle = False
        self.asked = False

    @property
    def by_pace(self) -> bool:
        """Whether nobody has set how much is claimed ahead."""
        return self._prefetch < 0

    def wake(self) -> None:
        """Work may wait."""
        self.idle = self._emptied = False
        self._woken = True

    def lost(self) -> None:
        """The connection is gone. What the claim on it got, if it got anything, a comparison finds (rule 4)."""
        self.asked = False

    def ended(self) -> None:
        """A job ended here."""
        self._pace.count()

    def wanted(self, now: float) -> bool:
        """Whether to claim now: a slot would stay empty, or half of what may be ahead is gone."""
        if now >= self._opens_at:
            self.wake()
            self._opens_at = math.inf
        if self.idle or self.asked or self._desk.leaving or now < self._claim_at:
            return False
        spare = self._unbegun() - self._desk.pool.free
        return (spare < 0 or (not self._emptied and 2 * spare < self._ahead(now))) and self._desk.fresh()

    def next_at(self, now: float) -> float:
        """When a claim that was put off may be made, or a gate opens; inf: neither."""
        return min(self._claim_at if self._claim_at > now else math.inf, self._opens_at)

    def requests(self, now: float) -> list[Request[Any]]:
        """At most one claim; its answer is waited for before the next."""
        if not self.wanted(now):
            return []
        self._waker.rest()
        self.asked, self._woken = True, False
        me = self._desk.me
        spare = self._unbegun() - self._desk.pool.free
        free, ahead = max(0, -spare), max(0, self._ahead(now) - max(0, spare))
        call = moves.claim(me.worker, me.generation, free, me.queues, me.alone, self._is_fair(), ahead)
        return [Request(call, partial(self._answered, free, free + ahead))]

    def _is_fair(self) -> bool:
        """Whether this claim is to look which queue has waited longest, and not only at their order, which is their priority."""
        self._made += 1
        return self._made % _FAIR == 0 and len(self._desk.me.queues) > 1

    def _unbegun(self) -> int:
        return self._desk.ledger.count(Phase.WAITING, Phase.ASKING)

    def _ahead(self, now: float) -> int:
        if self.others_idle or self._desk.me.alone:
            return 0
        if self._prefetch >= 0:
            return self._prefetch
        pool = self._desk.pool
        if pool.typical_s >= _SHORT_S:
            return 0
        return min(round(self._pace.per_s(now) * _AHEAD_S), _MOST_SETS * pool.size)

    def _answered(self, free: int, asked: int, claim: moves.Claim) -> None:
        now = time.monotonic()
        self.asked = False
        self._opens_at = math.inf if claim.back_in_ms is None else now + claim.back_in_ms / 1000
        if claim.answer == "retired":
            self._desk.leaving = self._desk.leaving or "retired"
            return
        if claim.answer == "not_alive":
            self._claim_at = now + _NOT_ALIVE_S
            return
        for job in claim.jobs:
            self._desk.ledger.add(job, now)
        if self._woken:  # by what came after Redis had answered, or before: it is asked again
            return
        self._emptied = len(claim.jobs) < asked
        if len(claim.jobs) < free:
            self.idle = True
            self._waker.listen()
