"""glance: which of many jobs ended, are gone, or moved from a version; it only reads."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def test_it_names_what_ended_or_is_gone(pond: Pond) -> None:
    ids = pond.submit(4)
    pond.run(moves.cancel(ids[1]))
    pond.ask("DEL", keys.job(ids[2]))
    pond.ask("DEL", keys.job(ids[3]))
    pond.ask("SET", keys.job(ids[3]), "x")
    before = pond.dump()
    assert pond.run(moves.glance([(id, None) for id in ids])) == ids[1:]
    assert pond.run(moves.glance([])) == []
    assert pond.dump() == before


def test_with_a_version_it_names_what_moved(pond: Pond) -> None:
    ids = pond.submit(2)
    pond.hire().claim(1)
    assert pond.run(moves.glance([(id, 1) for id in ids])) == ids[:1]
    assert pond.run(moves.glance([(id, pond.version(id)) for id in ids])) == []
    assert pond.run(moves.glance([(id, None) for id in ids])) == []


def test_a_move_by_one_of_rqs_tools_counts_before_a_script_met_it(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("HSET", keys.job(id), "status", "canceled")
    assert pond.run(moves.glance([(id, None)])) == [id]
