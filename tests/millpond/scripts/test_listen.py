"""listen: reads a job and, while it is open, notes where its end is to be told."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def test_it_answers_the_hash_and_whether_the_job_is_open(pond: Pond) -> None:
    (id,) = pond.submit()
    is_open, hash = pond.run(moves.listen(id))
    assert is_open
    assert {name: value.decode() for name, value in hash.items()} == pond.job(id)
    assert pond.run(moves.listen("none")) == (False, {})


def test_reading_changes_nothing(pond: Pond) -> None:
    (id,) = pond.submit()
    before = pond.dump()
    pond.run(moves.listen(id))
    assert pond.dump() == before


def test_channels_are_noted_once_each(pond: Pond) -> None:
    (id,) = pond.submit()
    for channel in ("mp:ended:a", "mp:ended:ab", "mp:ended:a", "mp:ended:b"):
        pond.run(moves.listen(id, channel))
    assert pond.job(id)["waiters"] == "mp:ended:a mp:ended:ab mp:ended:b"
    assert pond.version(id) == 1


def test_an_ended_job_notes_nobody(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.run(moves.cancel(id))
    pond.run(moves.listen(id, "mp:ended:a"))
    assert "waiters" not in pond.job(id)


def test_recorded_and_not_forgotten_is_not_open(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.run(moves.cancel(id))
    pond.run(moves.recorded([moves.Committed(id, 2)]))
    is_open, hash = pond.run(moves.listen(id))
    assert not is_open
    assert hash["state"] == b"canceled"


def test_deleted_and_not_recorded_is_open_without_a_hash(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    assert pond.run(moves.listen(id)) == (True, {})
    pond.ask("SET", keys.job(id), "x")
    assert pond.run(moves.listen(id, "mp:ended:a")) == (True, {})
