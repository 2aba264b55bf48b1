"""promote: moves what is due from the schedules to its queue."""

from typing import Any

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond
from tests.until import until


def promote(pond: Pond, limit: int = 500) -> int:
    return pond.run(moves.promote(limit))


def due(pond: Pond, number: int = 1, **options: Any) -> list[str]:
    """Scheduled jobs whose time has come."""
    ids = pond.submit(number, delay_ms=3_600_000, **options)
    for id in ids:
        key = pond.ask("HGET", keys.job(id), "origin").decode()
        pond.ask("ZADD", keys.named("SCHEDULED", key), 1, id)
    return ids


def test_what_is_due_goes_to_the_end_of_its_queue(pond: Pond) -> None:
    (waiting,) = pond.submit()
    (id,) = due(pond)
    (later,) = pond.submit(delay_ms=3_600_000)
    assert promote(pond) == 1
    assert pond.queued() == [waiting, id]
    now = pond.job(id)
    assert (now["state"], now["status"], now["version"], now["place"]) == ("queued", "queued", "2", "queue")
    assert "run_at_ms" not in now
    assert pond.ask("ZRANGE", "rq:scheduled:default", 0, -1) == [later.encode()]
    assert pond.open() == {waiting, id, later}
    assert pond.strange_keys() == []


def test_not_before_its_time(pond: Pond) -> None:
    (id,) = pond.submit(delay_ms=300)
    at = int(pond.job(id)["run_at_ms"])
    until(lambda: promote(pond), 5, "the job is promoted")
    assert at <= int(pond.job(id)["enqueued_ms"]) <= at + 1000


def test_sending_it_again_changes_nothing(pond: Pond) -> None:
    due(pond, 3)
    assert promote(pond) == 3
    before = pond.dump()
    assert promote(pond) == 0
    assert pond.dump() == before


def test_no_more_than_the_limit(pond: Pond) -> None:
    due(pond, 3, queue="a")
    due(pond, 3, queue="b")
    assert [promote(pond, 4), promote(pond, 4), promote(pond, 4)] == [4, 2, 0]


@pytest.mark.parametrize(("field", "state"), [("wish", "canceled"), ("expires_ms", "expired"), ("status", "canceled")])
def test_what_is_to_end_ends_instead(pond: Pond, field: str, state: str) -> None:
    (id,) = due(pond)
    pond.ask("HSET", keys.job(id), field, {"wish": "cancel", "expires_ms": "1", "status": "canceled"}[field])
    promote(pond)
    assert pond.job(id)["state"] == state
    assert pond.queued() == []
    assert pond.ask("EXISTS", "rq:scheduled:default") == 0


def test_after_two_deaths_it_goes_to_run_alone(pond: Pond) -> None:
    (id,) = due(pond)
    pond.ask("HSET", keys.job(id), "deaths", 2)
    promote(pond)
    assert pond.queued(place="ALONE") == [id]
    assert pond.job(id)["place"] == "alone"


def test_what_is_not_scheduled_any_more_is_struck_off(pond: Pond) -> None:
    gone, canceled, moved, corrupt, good = due(pond, 5)
    pond.ask("DEL", keys.job(gone), keys.job(corrupt))
    pond.ask("SET", keys.job(corrupt), "x")
    pond.run(moves.cancel(canceled))
    pond.ask("ZADD", "rq:scheduled:default", 1, canceled)
    pond.ask("HSET", keys.job(moved), "origin", "other")
    assert promote(pond) == 1
    assert pond.queued() == [good]
    assert pond.ask("EXISTS", "rq:scheduled:default") == 0
    pond.run(moves.reconcile(0))  # what was on the wrong list is put on its own
    assert pond.ask("ZRANGE", "rq:scheduled:other", 0, -1) == [moved.encode()]


def test_a_stock_job_that_is_due_is_adopted(pond: Pond) -> None:
    pond.ask("HSET", "rq:job:stock", "status", "scheduled", "origin", "default", "data", "x")
    pond.ask("ZADD", "rq:scheduled:default", 1, "stock")
    pond.ask("SADD", keys.RQ_QUEUES, "rq:queue:default")
    assert promote(pond) == 1
    assert pond.queued() == ["stock"]
    assert (pond.job("stock")["state"], pond.open()) == ("queued", {"stock"})


def test_a_queue_it_cannot_use_keeps_its_jobs_and_holds_up_no_other(pond: Pond) -> None:
    due(pond, 2, queue="bad")
    good = due(pond, 2, queue="good")
    pond.ask("SET", "rq:queue:bad", "x")
    assert promote(pond) == 2
    assert pond.queued("good") == good
    pond.ask("DEL", "rq:queue:bad")
    assert promote(pond) == 2


def test_as_many_sleepers_are_woken_as_jobs_came(pond: Pond) -> None:
    for worker in ("w1", "w2", "w3"):
        pond.hire(worker).claim()
    due(pond, 2)
    promote(pond)
    assert pond.ask("LLEN", keys.named("WAKE", "default")) == 2
