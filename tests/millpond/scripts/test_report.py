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
    assert (pond.version(id), pond.job(id)["attempt"]) == (before + 2, "1"), "with the first word its start shows"
    assert _report(pond, job) == [True]
    assert pond.version(id) == before + 3
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


def test_lines_go_into_a_field_of_their_own_and_may_be_said_again(pond: Pond) -> None:
    (id,) = pond.submit(fields={"max_attempts": 2})
    child = pond.hire()
    (job,) = child.work()
    for first, rows in ((1, b"a"), (1, b"a\nb"), (3, b"c")):
        assert pond.run(moves.report([moves.Report(job.id, job.execution, b"", f"l:1:1:{first}", rows)])) == [True]
    assert "progress" not in pond.job(id)
    assert {name: value for name, value in pond.job(id).items() if name.startswith("l:")} == {"l:1:1:1": "a\nb", "l:1:1:3": "c"}
    child.end(job, "failed", retry_ms=0)
    pond.run(moves.promote())
    (again,) = child.claim()
    assert not [name for name in again.hash if name.startswith(("l:", "o:"))], "a worker does not carry what others said"
    assert pond.strange_keys() == []
