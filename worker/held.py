"""What the child knows of each execution that its generation holds, from the claim's answer until its finish was answered."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from millpond.moves import Claimed, Death, Held, Outcome
from worker.run import Run


class Phase(Enum):
    """How far an execution is here."""

    WAITING = auto()  # leased, not begun
    ASKING = auto()  # rerun="never": begins when its start is answered
    RUNNING = auto()
    ENDED = auto()  # its outcome is here; its finish is not answered yet
    LEFT = auto()  # told to end, it goes on; its outcome waits until that is over, because another attempt follows
    RETURNING = auto()  # to be handed back; never begins here
    DIED = auto()  # the runner that ran it died: to be handed back as a death


@dataclass(slots=True, eq=False)
class Holding:
    """One execution. `asked`: its start may have reached Redis; from then on it only goes forward. `death`: of its runner."""

    claimed: Claimed
    since: float  # monotonic, when the claim was answered
    phase: Phase = Phase.WAITING
    run: Run | None = None
    asked: bool = False
    outcome: Outcome | None = None
    death: Death | None = None
    retry_at: float = 0.0  # not to be finished again before this: Redis could not use one of its keys

    @property
    def key(self) -> Held:
        """(job id, execution id)."""
        return self.claimed.id, self.claimed.execution


class Ledger:
    """All holdings, by execution, in the order they were claimed."""

    def __init__(self) -> None:
        self._known: dict[Held, Holding] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: Held) -> bool:
        return key in self._known

    def add(self, claimed: Claimed, now: float) -> None:
        """Know a claimed execution."""
        holding = Holding(claimed, now)
        self._known[holding.key] = holding

    def get(self, key: Held) -> Holding | None:
        """The holding, or None if it is not known (any more)."""
        return self._known.get(key)

    def drop(self, holding: Holding) -> None:
        """Know it no longer."""
        self._known.pop(holding.key, None)

    def all(self) -> list[Holding]:
        """A list to walk while holdings come and go."""
        return list(self._known.values())

    def of(self, *phases: Phase) -> list[Holding]:
        """The holdings in one of these phases, oldest first."""
        return [one for one in self._known.values() if one.phase in phases]

    def runs(self) -> Iterator[Run]:
        """What runs now."""
        return (one.run for one in self._known.values() if one.run and one.phase is Phase.RUNNING)
