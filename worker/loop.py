"""The child's cycle: settle what ended, claim what fits, begin what waits; one write a turn, and no wait for its answers.

    enforce -> decide -> collect -> starts, finishes, leases, claims -> write -> launch -> prepare -> hear

It sleeps before its inbox and its sockets: functions end, and others begin, while Redis is at work.

If the process dies at any point, its leases are handed back by its parent or taken back by a keeper. If the connection is lost,
each part says again what was unanswered: starts before finishes, both fenced; a claim never, compare settles it (rule 4).
"""

import math
import time
from dataclasses import dataclass
from typing import Final

from millpond import logs
from worker.claims import Claims
from worker.counts import Counts
from worker.deadlines import Deadlines
from worker.desk import Desk
from worker.displays import Displays
from worker.finishes import Finishes
from worker.held import Phase
from worker.inbox import Died, Ended, Inbox, Message, Spoke, Told
from worker.leases import Leases
from worker.pipe import Pipe
from worker.reports import Reports
from worker.starts import Starts
from worker.stop import Stop
from worker.wire import Lost, Wire

_LONGEST_REST_S: Final = 0.5  # a loop that rested longer would look like one that hangs
_GAP_S: Final = 2.5  # a turn that took longer: this process was paused, or a function kept the GIL
_ALONE_S: Final = 3.0  # a one-slot child leaves when it had nothing for so long

log = logs.get("worker.loop")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop turns, in the order in which their requests leave."""

    starts: Starts
    displays: Displays
    reports: Reports
    finishes: Finishes
    leases: Leases
    claims: Claims
    deadlines: Deadlines
    counts: Counts


class Loop:
    """Runs in the child's main thread until the child is to leave and holds nothing."""

    def __init__(self, desk: Desk, wire: Wire, inbox: Inbox, pipe: Pipe, parts: Parts) -> None:
        self._desk, self._wire, self._inbox, self._pipe, self._parts = desk, wire, inbox, pipe, parts
        self._used_at = time.monotonic()
        self._announced = False

    def run(self) -> None:
        """Turn until done."""
        while not self._done():
            self._turn()
        self._parts.counts.tell(math.inf)
        self._wire.close()

    def _turn(self) -> None:
        now = self._tick()
        self._parts.deadlines.enforce(now)
        self._parts.counts.tell(now)
        self._decide(now)
        if self._wire.ready(now):
            try:
                self._exchange(now)
            except Lost as lost:
                log.warning("redis_lost", error=str(lost))
                self._parts.starts.lost()
                self._parts.displays.lost()
                self._parts.finishes.lost()
                self._parts.reports.lost()
                self._parts.leases.lost()
                self._parts.claims.lost()
                self._parts.counts.lost()
        bell = self._parts.claims.bell if self._wire.open else None  # or nobody would answer it
        self._inbox.wait(self._rest_s(), self._wire.urgent, bell, *self._desk.pool.bells)
        self._desk.pool.turn()
        for message in self._inbox.take():
            self._hear(message)

    def _tick(self) -> float:
        now = time.monotonic()
        if now - self._desk.shared.ticked_at > _GAP_S:
            self._parts.leases.doubt()
        self._desk.shared.ticked_at = now
        self._desk.shared.due_at = self._desk.pool.due_at
        return now

    def _decide(self, now: float) -> None:
        """Whether to go on claiming; a child that leaves begins nothing more and gives back what waits."""
        desk = self._desk
        if len(desk.ledger):
            self._used_at = now
        if not desk.leaving and desk.worn(now):
            desk.leaving = "worn"
        if not desk.leaving and desk.me.alone and now - self._used_at > _ALONE_S:
            desk.leaving = "empty"
        if not desk.leaving:
            return
        if not self._announced:
            self._announced = True
            log.info("child_leaving", reason=desk.leaving, held=len(desk.ledger))
            self._pipe.say("leaving", desk.leaving)
        for holding in desk.ledger.of(Phase.WAITING):
            if not holding.asked:
                desk.ledger.move(holding, Phase.RETURNING)

    def _exchange(self, now: float) -> None:
        parts = self._parts
        self._wire.collect()
        parts.claims.hear()
        requests = [*parts.starts.requests(), *parts.displays.requests(now, parts.starts.chosen), *parts.reports.requests(now)]
        requests += [*parts.finishes.requests(now), *parts.leases.requests(now), *parts.claims.requests(now)]
        self._wire.write(requests)
        parts.starts.launch()
        self._desk.pool.turn()
        parts.starts.prepare()
        parts.claims.listen()

    def _rest_s(self) -> float:
        """How long to wait for a message before the next turn."""
        now, parts = time.monotonic(), self._parts
        if not self._wire.open:
            at = parts.deadlines.next_at()
        elif parts.starts.possible() or parts.finishes.due(now) or parts.leases.due(now) or parts.claims.wanted(now) or self._done():
            return 0.0
        else:
            at = min(parts.leases.next_at(), parts.deadlines.next_at(), parts.claims.next_at(now))
            at = min(at, parts.reports.next_at(), parts.displays.next_at())
        return min(max(min(at, self._wire.next_at, self._desk.pool.next_at) - now, 0.0), _LONGEST_REST_S)

    def _hear(self, message: Message) -> None:
        match message:
            case Ended(run, outcome):
                self._desk.pool.end(run)
                self._parts.claims.ended()
                holding = self._desk.ledger.get(run.key)
                if holding and (holding.phase is Phase.RUNNING or holding.phase is Phase.LEFT):
                    self._desk.end(holding, holding.outcome or outcome)
            case Died(run, how, alone):
                self._desk.pool.end(run)
                holding = self._desk.ledger.get(run.key)
                if holding and holding.phase is Phase.RUNNING:
                    self._desk.bury(holding, how, alone)
            case Spoke(run):
                self._desk.spoken[run] = None
            case Told(["drain"]):
                self._desk.leaving = self._desk.leaving or "drain"
            case Told(["stop", kind, id]):
                self._stop(kind, id)

    def _stop(self, kind: str, id: str) -> None:
        for holding in self._desk.ledger.all():
            if id == holding.key[kind == "execution"]:
                self._desk.stop(holding, Stop.STOPPED)

    def _done(self) -> bool:
        """What was kept back is told by the parent, when this process and all in it has ended."""
        ledger = self._desk.ledger
        return bool(self._desk.leaving) and len(ledger) == len(ledger.of(Phase.LEFT)) and not self._parts.claims.asked
