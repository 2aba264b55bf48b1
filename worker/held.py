"""What the child knows of each execution that its generation holds, from the claim's answer until its finish was answered."""

from dataclasses import dataclass
from enum import IntEnum

from millpond.moves import Claimed, Death, Held, Outcome
from worker.run import Run


class Phase(IntEnum):
    """How far an execution is here."""

    WAITING = 0  # leased, not begun
    ASKING = 1  # rerun="never": begins when its start is answered
    RUNNING = 2
    ENDED = 3  # its outcome is here; its finish is not answered yet
    LEFT = 4  # told to end, it goes on; its outcome waits until that is over, because another attempt follows
    RETURNING = 5  # to be handed back; never begins here
    DIED = 6  # the runner that ran it died: to be handed back as a death


@dataclass(slots=True, eq=False)
class Holding:
    """One execution. `asked`: its start may have reached Redis; from then on it only goes forward. `death`: of its runner."""

    claimed: Claimed
    key: Held  # (job id, execution id)
    since: float  # monotonic, when the claim was answered
    phase: Phase = Phase.WAITING
    run: Run | None = None
    asked: bool = False
    outcome: Outcome | None = None
    death: Death | None = None
    displayed: bool = False  # RQ's tools are shown it
    told: bool = False  # its outcome is on the socket, and not answered
    retry_at: float = 0.0  # not to be finished again before this: Redis could not use one of its keys


class Ledger:
    """All holdings, by execution and by phase: each turn of the loop asks for some phases, and none for all there is."""

    def __init__(self) -> None:
        self._known: dict[Held, Holding] = {}
        self._in: list[dict[Held, Holding]] = [{} for _ in Phase]

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: Held) -> bool:
        return key in self._known

    def add(self, claimed: Claimed, now: float) -> None:
        """Know a claimed execution."""
        key = claimed.id, claimed.execution
        self._known[key] = self._in[Phase.WAITING][key] = Holding(claimed, key, now)

    def get(self, key: Held) -> Holding | None:
        """The holding, or None if it is not known (any more)."""
        return self._known.get(key)

    def move(self, holding: Holding, phase: Phase) -> None:
        """It comes to another phase."""
        known = self._in[holding.phase].pop(holding.key, None)
        holding.phase = phase
        if known:
            self._in[phase][holding.key] = holding

    def drop(self, holding: Holding) -> None:
        """Know it no longer."""
        self._known.pop(holding.key, None)
        self._in[holding.phase].pop(holding.key, None)

    def all(self) -> list[Holding]:
        """A list to walk while holdings come and go, in the order they were claimed."""
        return list(self._known.values())

    def of(self, phase: Phase) -> list[Holding]:
        """The holdings in a phase, in the order they came to it."""
        return list(self._in[phase].values())

    def count(self, *phases: Phase) -> int:
        """How many holdings are in one of the phases."""
        return sum([len(self._in[phase]) for phase in phases])

    def first(self, phase: Phase) -> Holding | None:
        """The one that is in a phase for the longest time."""
        return next(iter(self._in[phase].values()), None)
