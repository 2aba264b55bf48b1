"""start: marks executions as begun; fenced, and said twice it counts once."""

from millpond import keys
from tests.millpond.scripts.pond import Pond


def test_it_counts_the_attempt_and_notes_the_time(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    assert child.start(job) == ["go"]
    now = pond.job(id)
    assert (now["mark"], now["attempt"], now["version"], now["state"]) == ("1", "1", "3", "started")
    assert abs(int(now["started_ms"]) - pond.now()) < 5000
    assert pond.strange_keys() == []


def test_sending_it_again_changes_nothing(pond: Pond) -> None:
    pond.submit(3)
    child = pond.hire()
    jobs = child.work()
    before = pond.dump()
    assert child.start(*jobs) == ["go", "go", "go"]
    assert pond.dump() == before


def test_another_execution_s_is_refused(pond: Pond) -> None:
    (id,) = pond.submit()
    one, two = pond.hire("w1"), pond.hire("w2")
    (old,) = one.claim()
    one.hand_back("items", jobs=[old])
    (new,) = two.claim()
    before = pond.dump()
    assert one.start(old) == ["no"]
    assert pond.dump() == before
    assert two.start(new) == ["go"]
    assert pond.job(id)["attempt"] == "1"


def test_what_ended_or_is_gone_is_refused_and_the_others_go(pond: Pond) -> None:
    pond.submit(4)
    child = pond.hire()
    ended, gone, broken, good = child.claim()
    child.end(ended)
    pond.ask("DEL", keys.job(gone.id), keys.job(broken.id))
    pond.ask("SET", keys.job(broken.id), "x")
    assert child.start(ended, gone, broken, good) == ["no", "no", "no", "go"]


def test_what_cannot_be_read_whole_does_not_begin_again(pond: Pond) -> None:
    pond.submit(2)
    child = pond.hire()
    bad, good = child.claim()
    pond.ask("HSET", keys.job(bad.id), "attempt", 1, "deaths", "many")
    assert child.start(bad, good) == ["no", "go"]


def test_rerun_never_ends_interrupted_instead_of_a_second_start(pond: Pond) -> None:
    (id,) = pond.submit(fields={"rerun": "never"})
    child = pond.hire()
    (job,) = child.claim()
    pond.ask("HSET", keys.job(id), "attempt", 1)  # it was begun before, whoever forgot to say how that ended
    assert child.start(job) == ["no"]
    now = pond.job(id)
    assert (now["state"], now["error_code"], now["attempt"]) == ("failed", "interrupted", "1")
    assert pond.leases() == set()
    assert pond.kinds(id) == ["accepted", "ended"]


def test_it_starts_also_while_events_cannot_be_written(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    pond.ask("DEL", keys.EVENTS)
    pond.ask("SET", keys.EVENTS, "x")
    assert child.start(job) == ["go"]
    assert pond.job(id)["attempt"] == "1"


def test_a_cancel_of_rq_s_becomes_a_wish(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    pond.ask("HSET", keys.job(id), "status", "canceled")
    assert child.start(job) == ["go"]
    now = pond.job(id)
    assert (now["status"], now["wish"], now["version"]) == ("started", "cancel", "4")
