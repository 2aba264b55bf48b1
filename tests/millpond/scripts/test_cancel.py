"""cancel: ends at once what waits, leaves a wish for what runs."""

from uuid import uuid4

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def cancel(pond: Pond, id: str, version: int = 0) -> moves.Changed:
    return pond.run(moves.cancel(id, version))


def test_a_queued_job_ends_and_leaves_its_list(pond: Pond) -> None:
    one, two = pond.submit(2)
    assert cancel(pond, one) == moves.Changed("ok", "canceled", 2)
    now = pond.job(one)
    assert (now["state"], now["status"], now["reason"], now["version"]) == ("canceled", "canceled", "canceled", "2")
    assert pond.queued() == [two]
    assert pond.ask("ZSCORE", "rq:canceled:default", one) == float("inf")
    assert pond.events()[-1] == (one, 2, "ended")
    assert pond.open() == {one, two}
    assert pond.strange_keys() == []


def test_a_scheduled_job_ends_and_leaves_the_schedule(pond: Pond) -> None:
    (id,) = pond.submit(delay_ms=60_000)
    assert cancel(pond, id).answer == "ok"
    assert pond.ask("EXISTS", "rq:scheduled:default") == 0


def test_a_running_job_gets_a_wish(pond: Pond) -> None:
    pond.submit()
    (job,) = pond.hire().work()
    assert cancel(pond, job.id) == moves.Changed("wish", "started", 3)
    assert pond.job(job.id)["wish"] == "cancel"


@pytest.mark.parametrize("state", ["queued", "scheduled", "started", "finished"])
def test_sending_it_again_changes_nothing(pond: Pond, state: str) -> None:
    (id,) = pond.submit(delay_ms=60_000 if state == "scheduled" else 0)
    child = pond.hire()
    if state in ("started", "finished"):
        (job,) = child.work()
        if state == "finished":
            child.end(job)
    first = cancel(pond, id)
    before = pond.dump()
    again = cancel(pond, id)
    assert pond.dump() == before
    assert (again.state, again.version) == (first.state, first.version)
    assert again.answer == ("wish" if state == "started" else "conflict")


def test_only_the_version_that_was_seen(pond: Pond) -> None:
    (id,) = pond.submit()
    assert cancel(pond, id, 7) == moves.Changed("version", "queued", 1)
    assert cancel(pond, id, 1).answer == "ok"
    assert cancel(pond, id, 1) == moves.Changed("version", "canceled", 2)


def test_what_is_not_there_or_not_readable(pond: Pond) -> None:
    pond.ask("SET", "rq:job:bad", "x")
    assert cancel(pond, "none").answer == "gone"
    assert cancel(pond, "bad").answer == "error"


def test_a_move_of_rq_s_is_made_ours_first(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("HSET", keys.job(id), "status", "canceled")
    assert cancel(pond, id) == moves.Changed("conflict", "canceled", 2)
    assert pond.job(id)["reason"] == "by_rq"


def test_a_waiting_stock_job_is_adopted_and_ends(pond: Pond) -> None:
    id = str(uuid4())
    pond.ask("HSET", keys.job(id), "status", "queued", "origin", "default", "data", "x")
    pond.ask("RPUSH", keys.queue("default"), id)
    assert cancel(pond, id) == moves.Changed("ok", "canceled", 2)
    assert pond.queued() == []


@pytest.mark.parametrize("status", ["deferred", "started", "finished", "failed", "rate_limited", "ready_to_enqueue"])
def test_a_stock_job_that_rq_moves_is_left_alone(pond: Pond, status: str) -> None:
    pond.ask("HSET", "rq:job:stock", "status", status, "origin", "default", "data", "x")
    before = pond.dump()
    assert cancel(pond, "stock") == moves.Changed("conflict", status, 0)
    assert pond.dump() == before


def test_in_a_long_list_it_stays_until_it_is_popped(pond: Pond) -> None:
    pond.ask("RPUSH", "rq:queue:default", *range(10_000))
    (id,) = pond.submit()
    assert cancel(pond, id).answer == "ok"
    assert pond.queued()[-1] == id


def test_where_the_record_cannot_be_written_nothing_is_done(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.EVENTS)
    pond.ask("SET", keys.EVENTS, "x")
    before = pond.dump()
    assert cancel(pond, id).answer == "error"
    assert pond.dump() == before
