"""forget: deletes the hashes of recorded jobs whose grace is over; of failed ones all but the newest of each queue."""

from typing import Any

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def forget(pond: Pond, limit: int = 500, failed_keep: int = 1000) -> int:
    return pond.run(moves.forget(limit, failed_keep))


def ended(pond: Pond, number: int = 1, status: str = "finished", grace_ms: int = 0, **options: Any) -> list[str]:
    """Jobs that ended and are recorded."""
    ids = pond.submit(number, **options)
    child = pond.hire(queues=["default", "other"])
    for job in child.work():
        child.end(job, status)
    pond.run(moves.recorded([moves.Committed(id, pond.version(id), ["o:1:1"]) for id in ids], grace_ms))
    assert not pond.open() & set(ids)
    return ids


def test_nothing_of_the_job_is_left(pond: Pond) -> None:
    (id,) = ended(pond)
    assert forget(pond) == 1
    assert [name for name, content in pond.dump().items() if id in f"{name} {content}"] == [keys.EVENTS]


def test_nothing_of_a_stock_job_that_waited_for_another_is_left(pond: Pond) -> None:
    queue = Queue("default", connection=pond.client, serializer=JSONSerializer)
    (first,) = pond.submit()
    id = queue.enqueue("echo", depends_on=first, result_ttl=0).id
    child = pond.hire()
    child.end(child.work()[0])
    pond.run(moves.set_free(0))
    child.end(child.work()[0])
    pond.run(moves.recorded([moves.Committed(id, pond.version(id), ["o:1:1"])], 0))
    assert forget(pond) == 1
    assert [name for name, content in pond.dump().items() if id in f"{name} {content}"] == [keys.EVENTS]


def test_not_before_its_grace_is_over(pond: Pond) -> None:
    (id,) = ended(pond, grace_ms=60_000)
    assert forget(pond) == 0
    assert pond.job(id)["state"] == "finished"
    assert pond.ask("ZSCORE", "rq:finished:default", id) == float("inf")


def test_sending_it_again_changes_nothing(pond: Pond) -> None:
    ended(pond, 3)
    ended(pond, 3, "failed")
    assert forget(pond, failed_keep=1) == 5
    before = pond.dump()
    assert forget(pond, failed_keep=1) == 0
    assert pond.dump() == before


def test_the_newest_failed_ones_of_each_queue_stay(pond: Pond) -> None:
    old = ended(pond, 3, "failed", queue="default")
    for at, id in enumerate(old):
        pond.ask("ZADD", keys.named("KEPT", "default"), at, id)
    (other,) = ended(pond, 1, "failed", queue="other")
    assert forget(pond, failed_keep=1) == 2
    assert [bool(pond.job(id)) for id in (*old, other)] == [False, False, True, True]


def test_no_more_than_the_limit(pond: Pond) -> None:
    ended(pond, 5)
    assert [forget(pond, 2), forget(pond, 2), forget(pond, 2), forget(pond, 2)] == [2, 2, 1, 0]


@pytest.mark.parametrize("how", ["retry", "rq requeue"])
def test_a_job_that_began_a_new_run_stays(pond: Pond, how: str) -> None:
    (failed,), (canceled,) = ended(pond, 1, "failed"), ended(pond, 1, "canceled")
    for id in (failed, canceled):
        if how == "retry":
            pond.run(moves.retry(id))
        else:
            pond.ask("HSET", keys.job(id), "status", "queued")
            pond.ask("RPUSH", "rq:queue:default", id)
    assert forget(pond, failed_keep=0) == 0
    assert [pond.job(id)["run"] for id in (failed, canceled)] == ["2", "2"]
    assert pond.open() == {failed, canceled}
    assert len(pond.hire().claim()) == 2


@pytest.mark.parametrize("field", ["version", "recorded", "state", "status"])
def test_a_job_that_is_not_as_it_was_recorded_stays(pond: Pond, field: str) -> None:
    (id,) = ended(pond)
    other = {"version": "5", "recorded": "2", "state": "started", "status": "queued"}[field]
    pond.ask("HSET", keys.job(id), field, other)
    forget(pond)
    assert pond.job(id)


def test_an_open_job_stays(pond: Pond) -> None:
    (id,) = ended(pond)
    pond.ask("SADD", keys.OPEN, id)
    assert forget(pond) == 0
    assert pond.job(id)


def test_no_job_has_an_expiry_of_its_own(pond: Pond) -> None:
    pond.submit(delay_ms=60_000)
    ended(pond, 2)
    ended(pond, 2, "failed")
    for name in pond.ask("KEYS", "rq:job:*"):
        assert pond.ask("TTL", name) == -1
