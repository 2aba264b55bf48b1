"""When the child claims, and how much: as many jobs as it has free slots, and a few more while nobody else is idle."""

import math
import time
from typing import Any, Final

from millpond import moves
from worker.desk import Desk
from worker.held import Phase
from worker.waker import Waker
from worker.wire import Request

_NOT_ALIVE_S: Final = 0.2  # the parent's next heartbeat comes within 0.5 s
_SHORT_S: Final = 0.05  # of jobs this short a whole set is claimed ahead: together they wait no longer than that
_TURN_ABOUT: Final = 10  # each claim of so many begins with another queue than the first, so that none starves


class Claims:
    """`idle`: the last claim got nothing, so that the child is listed in mp:idle and a token wakes it. `prefetch`: jobs to claim
    ahead; -1: a quarter of the slots, or as many as slots while jobs are short (then one write begins a set and ends another)."""

    def __init__(self, desk: Desk, waker: Waker, prefetch: int) -> None:
        self._desk = desk
        self._waker = waker
        self._prefetch = prefetch
        self._claim_at = 0.0
        self._made = 0
        self.others_idle = False
        self.idle = False

    def wake(self) -> None:
        """Work may wait."""
        self.idle = False

    def wanted(self, now: float) -> bool:
        """Whether to claim now."""
        return not self.idle and not self._desk.leaving and now >= self._claim_at and self._room() > 0 and self._desk.fresh()

    def next_at(self, now: float) -> float:
        """When a claim that was put off may be made; inf: none was."""
        return self._claim_at if self._claim_at > now else math.inf

    def requests(self, now: float) -> list[Request[Any]]:
        """At most one claim; its answer is waited for before the next."""
        if not self.wanted(now):
            return []
        self._waker.rest()
        me = self._desk.me
        return [Request(moves.claim(me.worker, me.generation, self._room(), self._queues(), me.alone), self._answered)]

    def _queues(self) -> tuple[str, ...]:
        """The queues in their order, which is their priority; sometimes from a later one on."""
        queues = self._desk.me.queues
        self._made += 1
        turns, rest = divmod(self._made, _TURN_ABOUT)
        first = turns % len(queues) if rest == 0 else 0
        return queues[first:] + queues[:first]

    def _room(self) -> int:
        return self._desk.pool.free + self._ahead() - len(self._desk.ledger.of(Phase.WAITING, Phase.ASKING))

    def _ahead(self) -> int:
        pool = self._desk.pool
        if self.others_idle or self._desk.me.alone:
            return 0
        if self._prefetch >= 0:
            return self._prefetch
        return pool.size if pool.typical_s < _SHORT_S else max(1, pool.size // 4)

    def _answered(self, claim: moves.Claim) -> None:
        now = time.monotonic()
        if claim.answer == "retired":
            self._desk.leaving = self._desk.leaving or "retired"
        elif claim.answer == "not_alive":
            self._claim_at = now + _NOT_ALIVE_S
        elif claim.jobs:
            for job in claim.jobs:
                self._desk.ledger.add(job, now)
        else:
            self.idle = True
            self._waker.listen()
