"""report: how far running jobs say they are; fenced."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def _report(pond: Pond, *jobs: moves.Claimed) -> list[bool]:
    return pond.run(moves.report([moves.Report(job.id, job.execution, b'{"fraction":0.5}') for job in jobs]))


def test_it_shows_what_was_said_under_a_new_version(pond: Pond) -> None:
    (id,) = pond.submit()
    (job,) = pond.hire().work()
    before = pond.version(id)
    assert _report(pond, job) == [True]
    assert pond.job(id)["progress"] == '{"fraction":0.5}'
    assert pond.version(id) == before + 1
    assert pond.strange_keys() == []


def test_another_execution_s_is_refused_and_the_others_are_shown(pond: Pond) -> None:
    pond.submit(4)
    child = pond.hire()
    ended, gone, broken, good = child.work()
    child.end(ended)
    pond.ask("DEL", keys.job(gone.id), keys.job(broken.id))
    pond.ask("SET", keys.job(broken.id), "x")
    assert _report(pond, ended, gone, broken, good) == [False, False, False, True]
    assert "progress" not in pond.job(ended.id)
