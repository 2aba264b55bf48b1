"""What the parts of the child's loop share: who it is, what it holds, what runs, and whether it may begin and claim."""

import time
from dataclasses import dataclass, field
from typing import Final

from millpond.moves import Outcome
from worker import outcome
from worker.held import Holding, Ledger, Phase
from worker.pool import Pool
from worker.shared import Shared
from worker.stop import Stop

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
    ledger: Ledger = field(default_factory=Ledger)
    doubtful: bool = False
    leaving: str = ""

    def fresh(self) -> bool:
        """Whether Redis confirmed this worker's life recently enough to begin anything."""
        return not self.doubtful and time.monotonic() - self.shared.confirmed_at < FRESH_S

    def begin(self, holding: Holding) -> None:
        """Call its function."""
        assert holding.run
        self.ledger.move(holding, Phase.RUNNING)
        holding.run.begin()
        # First: a function that keeps the GIL lets this loop tell its parent nothing more.
        self.shared.busy_until = max(self.shared.busy_until, holding.run.deadline)
        self.pool.start(holding.run)

    def stop(self, holding: Holding, why: Stop) -> None:
        """End an execution that is ours, whatever it is at; its outcome says why."""
        if holding.phase is Phase.RUNNING and holding.run:
            self.pool.stop(holding.run, why)
        elif holding.phase is Phase.WAITING and not holding.asked:
            self.end(holding, outcome.unbegun(holding.claimed, why))
        elif holding.run and not holding.run.stop:
            holding.run.stop = why  # its start is on its way: it ends instead of beginning

    def lose(self, holding: Holding) -> None:
        """It is no longer ours: stop what runs, and want its outcome no more."""
        if holding.phase is Phase.RUNNING and holding.run:
            self.pool.stop(holding.run, Stop.LOST)
        self.ledger.drop(holding)

    def end(self, holding: Holding, how: Outcome) -> None:
        """Its outcome is here; what remains is to finish it."""
        holding.outcome = how
        self.ledger.move(holding, Phase.ENDED)
