"""What the parts of the child's loop share: who it is, what it holds, what runs, and whether it may begin and claim."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from millpond.moves import Death, Outcome
from worker import outcome
from worker.held import Holding, Ledger, Phase
from worker.pool import Pool
from worker.run import Ears, Run
from worker.shared import Shared
from worker.stop import Stop
from worker.will import Will

KEPT_S: Final = 10.0  # how long a job's next attempt waits for the end of the one that does not end
FRESH_S: Final = 2.5  # liveness expires in Redis after 3.5 s; a second is left for what was sent before


@dataclass(frozen=True, slots=True)
class Me:
    """This child. `alone`: the one-slot child that serves mp:alone."""

    worker: str
    generation: int
    queues: tuple[str, ...]
    alone: bool = False


@dataclass(slots=True)
class Desk:
    """One loop's state; only its thread touches it.

    `doubtful`: Redis may have taken executions away since the last comparison; nothing begins before the next one.
    `leaving`: why no more is claimed, and this process ends with what it holds; empty: it stays.
    """

    me: Me
    pool: Pool
    shared: Shared
    will: Will
    ears: Ears
    ledger: Ledger = field(default_factory=Ledger)
    doubtful: bool = False
    leaving: str = ""
    ended: Callable[[Holding], None] = lambda holding: None  # counts an outcome that Redis took
    unseen: dict[Holding, None] = field(default_factory=dict)  # what runs and was not shown to RQ's tools, as it began
    spoken: dict[Run, None] = field(default_factory=dict)  # runs with news, in the order in which they spoke

    def fresh(self) -> bool:
        """Whether Redis confirmed this worker's life recently enough to begin anything."""
        return not self.doubtful and time.monotonic() - self.shared.confirmed_at < FRESH_S

    def begin(self, holding: Holding) -> None:
        """Call its function."""
        assert holding.run
        self.ledger.move(holding, Phase.RUNNING)
        if not holding.displayed:
            self.unseen[holding] = None
        holding.run.expire(holding.since)
        holding.run.begin()
        holding.run.listen(self.ears)
        # First: a function that keeps the GIL lets this loop tell its parent nothing more.
        self.shared.due_at = min(self.shared.due_at, holding.run.deadline)
        self.pool.start(holding.run)

    def stop(self, holding: Holding, why: Stop) -> None:
        """End an execution that is ours, whatever it is at; its outcome says why."""
        if holding.phase is Phase.RUNNING and holding.run:
            self.pool.stop(holding.run, why)
        elif holding.phase is Phase.WAITING and not holding.asked:
            self.end(holding, outcome.unbegun(holding.claimed, why))
        elif holding.phase is Phase.LEFT and holding.run:
            holding.run.stop = why  # no attempt follows now, so nothing need wait
            self.end(holding, outcome.stopped(holding.run))
        elif holding.run and not holding.run.stop:
            holding.run.stop = why  # its start is on its way: it ends instead of beginning

    def lose(self, holding: Holding) -> None:
        """It is no longer ours: stop what runs, and want its outcome no more."""
        if holding.phase is Phase.RUNNING and holding.run:
            self.pool.stop(holding.run, Stop.LOST)
        self.ledger.drop(holding)
        self.unseen.pop(holding, None)

    def bury(self, holding: Holding, how: str, alone: bool) -> None:
        """The runner that ran it died by itself."""
        holding.death = Death(*holding.key, how, alone)
        self.ledger.move(holding, Phase.DIED)
        self.unseen.pop(holding, None)
        self._hush(holding)

    def keep_back(self, holding: Holding, how: Outcome) -> None:
        """Its function does not end: keep its outcome until that ends, or this process, after which its parent tells it."""
        holding.outcome = how
        self.ledger.move(holding, Phase.LEFT)
        self.unseen.pop(holding, None)
        self.will.write([one.outcome for one in self.ledger.of(Phase.LEFT) if one.outcome])

    def worn(self, now: float) -> bool:
        """Whether this process should be replaced: half of its slots are left to functions that do not end, or a job has long
        waited for such a one."""
        waiting = (one.run.stopped_at for one in self.ledger.of(Phase.LEFT) if one.run) if self.pool.left else ()
        return self.pool.worn or any(now - told_at > KEPT_S for told_at in waiting)

    def end(self, holding: Holding, how: Outcome) -> None:
        """Its outcome is here; what remains is to finish it."""
        holding.outcome = how
        self.ledger.move(holding, Phase.ENDED)
        self.unseen.pop(holding, None)
        self._hush(holding)

    def _hush(self, holding: Holding) -> None:
        """What it said last is said before its end is told: nothing is missing when that can be seen."""
        if holding.run and holding.run.voice:
            holding.run.voice.close()
            if holding.run.unsaid:
                self.spoken[holding.run] = None
