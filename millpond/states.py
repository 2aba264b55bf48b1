"""The states of a job and the moves between them: one table, which the scripts obey and docs draw."""

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """What HTTP says of a job."""

    SCHEDULED = "scheduled"  # waits for its time, or for its next attempt; the keeper promotes it
    QUEUED = "queued"  # waits for a worker's free slot
    STARTED = "started"  # a worker holds it; if that dies, it is queued again
    FINISHED = "finished"  # its function returned
    FAILED = "failed"  # its last attempt raised, timed out or died; error.code says which
    CANCELED = "canceled"  # by a caller, before or while it ran
    STOPPED = "stopped"  # by RQ's stop command while it ran
    EXPIRED = "expired"  # its expires_in_s passed first


FINAL: Final = frozenset({State.FINISHED, State.FAILED, State.CANCELED, State.STOPPED, State.EXPIRED})

_RETRIED: Final = frozenset({State.QUEUED})

MOVES: Final[dict[State, frozenset[State]]] = {
    State.SCHEDULED: frozenset({State.QUEUED, State.CANCELED, State.STOPPED, State.EXPIRED}),
    State.QUEUED: frozenset({State.STARTED, State.CANCELED, State.STOPPED, State.EXPIRED, State.FAILED}),
    State.STARTED: frozenset({*FINAL, State.SCHEDULED, State.QUEUED}),
    State.FINISHED: frozenset(),
    State.FAILED: _RETRIED,
    State.CANCELED: _RETRIED,
    State.STOPPED: _RETRIED,
    State.EXPIRED: _RETRIED,
}

NEW: Final = frozenset({State.QUEUED, State.SCHEDULED})

# Our word -> RQ's, which knows no `expired`.
RQ_STATUS: Final = {state: "canceled" if state is State.EXPIRED else state.value for state in State}


def allowed(old: State | None, new: State) -> bool:
    """Whether a job may go from `old` (None: not there yet) to `new` in one move."""
    return new in (NEW if old is None else MOVES[old])


def drawing() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {state}" for state in State if state in NEW]
    lines += [f"    {old} --> {new}" for old in State for new in State if new in MOVES[old]]
    lines += ["    finished --> [*]"]
    return "\n".join(lines) + "\n"
