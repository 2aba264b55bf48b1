"""The table of moves says what DESIGN's section on states says."""

import pytest

from millpond.states import FINAL, MOVES, RQ_STATUS, State, allowed, drawing

ENDS = {"finished", "failed", "canceled", "stopped", "expired"}


def test_the_table_is_whole() -> None:
    assert set(MOVES) == set(State)
    assert ENDS == FINAL


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, {"queued", "scheduled"}),
        (State.SCHEDULED, {"queued", "canceled", "stopped", "expired"}),
        (State.QUEUED, {"started", "canceled", "stopped", "expired", "failed"}),
        (State.STARTED, {*ENDS, "scheduled", "queued"}),
        (State.FINISHED, set()),
        (State.FAILED, {"queued"}),
        (State.CANCELED, {"queued"}),
        (State.STOPPED, {"queued"}),
        (State.EXPIRED, {"queued"}),
    ],
)
def test_moves(old: State | None, new: set[str]) -> None:
    assert {state for state in State if allowed(old, state)} == new


def test_rq_has_a_word_for_each_state() -> None:
    from rq.job import JobStatus

    assert set(RQ_STATUS) == set(State)
    assert set(RQ_STATUS.values()) <= {str(word.value) for word in JobStatus}
    assert RQ_STATUS[State.EXPIRED] == "canceled"


def test_the_drawing_shows_each_move_once() -> None:
    lines = [line.strip() for line in drawing().splitlines()]
    assert lines[0] == "stateDiagram-v2"
    arrows = [f"{old} --> {new}" for old in State for new in MOVES[old]]
    assert sorted(lines[1:]) == sorted([*arrows, "[*] --> queued", "[*] --> scheduled", "finished --> [*]"])
