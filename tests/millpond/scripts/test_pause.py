"""pause and resume: whether claims take from a queue."""

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def test_a_paused_queue_gives_nothing_until_it_is_resumed(pond: Pond) -> None:
    pond.submit(2)
    child = pond.hire()
    assert pond.run(moves.pause("default")) == 1
    assert child.claim() == []
    assert pond.run(moves.resume("default")) == 1
    assert len(child.claim()) == 2
    assert pond.strange_keys() == []


@pytest.mark.parametrize("move", [moves.pause, moves.resume])
def test_sending_it_again_changes_nothing(pond: Pond, move: object) -> None:
    pond.submit(2)
    pond.run(moves.pause("other"))
    pond.run(move("default"))  # type: ignore[operator]
    before = pond.dump()
    assert pond.run(move("default")) == 0  # type: ignore[operator]
    assert pond.dump() == before


def test_a_paused_queue_still_takes_jobs_in(pond: Pond) -> None:
    pond.run(moves.pause("default"))
    ids = pond.submit(2)
    assert pond.queued() == ids


def test_resume_wakes_who_sleeps(pond: Pond) -> None:
    pond.run(moves.pause("default"))
    for worker in ("w1", "w2", "w3"):
        pond.hire(worker).claim()
    pond.ask("RPUSH", "rq:queue:default", "a", "b")
    pond.run(moves.resume("default"))
    assert pond.ask("LLEN", keys.named("WAKE", "default")) == 2


def test_a_broken_key_can_be_paused_and_resumed(pond: Pond) -> None:
    pond.ask("SET", keys.PAUSED, "x")
    assert pond.run(moves.resume("default")) == 0
    assert pond.run(moves.pause("default")) == 1
    assert pond.run(moves.resume("default")) == 1
