"""When the child claims, and how much: as many jobs as it has free slots, and a few more while jobs end fast and nobody else is idle."""

import math
import socket
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
_AHEAD_S: Final = 0.01  # of all slots' work: there when they come free, and the next claim is answered before it is gone
_BEGUN_S: Final = 0.04  # what is ahead begins here in that time, where Redis or the core is the limit: long before it would go back
_MOST_SETS: Final = 4  # slots' worth of jobs ahead: what a lost worker's successor finds claimed and not begun
_PIECE: Final = 32  # slots that one claim is for; while what it got begins, Redis looks for the next
_ABREAST: Final = 4  # claims on their way at once
_FAIR: Final = 10  # one claim of so many is fair, so that no queue starves


class Claims:
    """`idle`: the last claim left a slot free, so that the child is listed in mp:idle and a token wakes it. `prefetch`: jobs to claim
    ahead; -1: as many as slots can do in `_AHEAD_S`, and as end in `_BEGUN_S` at the present pace."""

    def __init__(self, desk: Desk, waker: Waker, prefetch: int) -> None:
        self._desk = desk
        self._waker = waker
        self._prefetch = prefetch
        self._claim_at = 0.0
        self._opens_at = math.inf  # a gate, as a claim was told
        self._made = 0
        self._pace = Pace()
        self._emptied = False  # the last claim got less than it asked for
        self._woken = False  # since the last claim was made
        self.idle = False
        self._awaited = 0  # claims on their way
        self._promised = 0  # slots for which they ask

    @property
    def asked(self) -> bool:
        """Whether a claim is not answered yet."""
        return self._awaited > 0

    @property
    def by_pace(self) -> bool:
        """Whether nobody has set how much is claimed ahead."""
        return self._prefetch < 0

    def wake(self) -> None:
        """Work may wait."""
        self.idle = self._emptied = False
        self._woken = True

    @property
    def bell(self) -> socket.socket | None:
        """What to wait on for a token; None: none is asked for."""
        return self._waker.socket

    def hear(self) -> None:
        """Wake if a token came."""
        if self._waker.heard():
            self.wake()

    def listen(self) -> None:
        """Wait for a token where no claim is of use before one comes."""
        self._waker.ask()

    def lost(self) -> None:
        """The connection is gone. What the claims on it got, if they got anything, a comparison finds (rule 4)."""
        self._awaited = self._promised = 0

    def ended(self) -> None:
        """A job ended here."""
        self._pace.count()

    def wanted(self, now: float) -> bool:
        """Whether to claim now: a slot would stay empty, or half of what may be ahead is gone."""
        if now >= self._opens_at:
            self.wake()
            self._opens_at = math.inf
        if self.idle or self._desk.leaving or now < self._claim_at:
            return False
        spare = self._spare()
        if self._awaited:
            more = self._awaited < _ABREAST and -2 * spare >= _PIECE
        else:
            more = spare < 0 or (not self._emptied and 2 * spare < self._ahead(now))
        return more and self._desk.fresh()

    def _spare(self) -> int:
        """How many more jobs are here, or asked for, than slots are free."""
        return self._unbegun() + self._promised - self._desk.pool.free

    def next_at(self, now: float) -> float:
        """When a claim that was put off may be made, or a gate opens; inf: neither."""
        return min(self._claim_at if self._claim_at > now else math.inf, self._opens_at)

    def requests(self, now: float) -> list[Request[Any]]:
        """Claims to make now. For many slots several: what the first got can begin while Redis looks for more."""
        found = []
        while self.wanted(now):
            found.append(self._request(now))
        return found

    def _request(self, now: float) -> Request[Any]:
        self._waker.want(False)
        self._woken = False
        me = self._desk.me
        spare = self._spare()
        free = min(max(0, -spare), _PIECE)
        ahead = max(0, self._ahead(now) - max(0, spare)) if -spare <= free else 0
        self._awaited += 1
        self._promised += free
        call = moves.claim(me.worker, me.generation, free, me.queues, me.alone, self._is_fair(), ahead)
        return Request(call, partial(self._answered, free, free + ahead))

    def _is_fair(self) -> bool:
        """Whether this claim is to look which queue has waited longest, and not only at their order, which is their priority."""
        self._made += 1
        return self._made % _FAIR == 0 and len(self._desk.me.queues) > 1

    def _unbegun(self) -> int:
        return self._desk.ledger.count(Phase.WAITING, Phase.ASKING)

    def _ahead(self, now: float) -> int:
        if self._desk.me.alone:
            return 0
        if self._prefetch >= 0:
            return self._prefetch
        pool = self._desk.pool
        able = pool.size / pool.typical_s * _AHEAD_S
        return min(round(min(able, self._pace.per_s(now) * _BEGUN_S)), _MOST_SETS * pool.size)

    def _answered(self, free: int, asked: int, claim: moves.Claim) -> None:
        now = time.monotonic()
        self._awaited -= 1
        self._promised -= free
        if claim.back_in_ms is not None:  # else enough come back, this child among them if an earlier claim was told so
            self._opens_at = min(self._opens_at, now + claim.back_in_ms / 1000)
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
        self.idle = len(claim.jobs) < free
        self._waker.want(self.idle)
