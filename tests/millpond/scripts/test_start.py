"""start: marks executions as begun, in their lease; fenced, and said twice it counts once."""

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Child, Pond, ms


def mark(pond: Pond, job: moves.Claimed) -> bytes:
    """What the lease says of an execution."""
    found: bytes = pond.ask("HGET", keys.named("LEASES", "w1:1"), f"{job.id}:{job.execution}")
    return found


# Of these jobs the start shows in the hash at once.
TO_SHOW: dict[str, tuple[str, str]] = {
    "a gate": ("gate", "3 0 0 k:x"),
    "rerun never": ("rerun", "never"),
    "a watcher": ("watchers", "mp:told:x"),
}


@pytest.fixture(params=list(TO_SHOW))
def shown(pond: Pond, request: pytest.FixtureRequest) -> tuple[Child, moves.Claimed]:
    """A job whose start shows at once, claimed."""
    (id,) = pond.submit()
    pond.ask("HSET", keys.job(id), *TO_SHOW[request.param])
    child = pond.hire()
    return child, child.claim()[0]


def test_it_notes_the_time_in_the_lease_and_leaves_the_job_alone(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    assert mark(pond, job) == b"claimed"
    before = pond.job(id)
    assert child.start(job) == ["go"]
    assert abs(int(mark(pond, job)) - pond.now()) < 5000
    assert pond.job(id) == before
    assert pond.strange_keys() == []


def test_what_shows_at_once_counts_the_attempt(pond: Pond, shown: tuple[Child, moves.Claimed]) -> None:
    child, job = shown
    assert mark(pond, job) == b"to_show"
    assert child.start(job) == ["go"]
    now = pond.job(job.id)
    assert (now["mark"], now["attempt"], now["version"], now["state"]) == ("1", "1", "3", "started")
    assert ms(now["started_at"]) == int(mark(pond, job))
    assert child.start(job) == ["go"]
    assert pond.job(job.id) == now


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
    two.end(new)
    assert pond.job(id)["attempt"] == "1"


def test_what_ended_is_refused_and_the_others_go(pond: Pond) -> None:
    pond.submit(3)
    child = pond.hire()
    ended, other, good = child.claim()
    child.end(ended)
    assert child.start(ended, other, good) == ["no", "go", "go"]


@pytest.mark.parametrize("damage", ["gone", "another type", "unreadable"])
def test_what_shows_at_once_and_cannot_be_read_does_not_begin(pond: Pond, shown: tuple[Child, moves.Claimed], damage: str) -> None:
    child, job = shown
    if damage == "unreadable":
        pond.ask("HSET", keys.job(job.id), "deaths", "many")
    else:
        pond.ask("DEL", keys.job(job.id))
    if damage == "another type":
        pond.ask("SET", keys.job(job.id), "x")
    assert child.start(job) == ["no"]
    assert mark(pond, job) == b"to_show"


def test_no_mark_can_be_made_in_a_broken_lease(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    pond.ask("DEL", keys.named("LEASES", "w1:1"))
    pond.ask("SET", keys.named("LEASES", "w1:1"), "x")
    assert child.start(job) == ["no"]


def test_a_thousand_and_more_at_once(pond: Pond) -> None:
    pond.submit(2100)
    child = pond.hire()
    jobs = [*child.claim(1000), *child.claim(1000), *child.claim(1000)]
    assert child.start(*jobs[:2050]) == ["go"] * 2050
    assert [mark(pond, job).isdigit() for job in (jobs[0], jobs[1000], jobs[2049], jobs[2050])] == [True, True, True, False]


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


def test_it_starts_also_while_events_cannot_be_written(pond: Pond, shown: tuple[Child, moves.Claimed]) -> None:
    child, job = shown
    pond.ask("DEL", keys.EVENTS)
    pond.ask("SET", keys.EVENTS, "x")
    assert child.start(job) == ["go"]
    assert pond.job(job.id)["attempt"] == "1"


def test_a_cancel_of_rq_s_becomes_a_wish(pond: Pond, shown: tuple[Child, moves.Claimed]) -> None:
    child, job = shown
    pond.ask("HSET", keys.job(job.id), "status", "canceled")
    assert child.start(job) == ["go"]
    now = pond.job(job.id)
    assert (now["status"], now["wish"], now["version"]) == ("started", "cancel", "4")
