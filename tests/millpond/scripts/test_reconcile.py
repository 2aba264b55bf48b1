"""reconcile: looks whether open jobs are in the one place where they must be, and repairs."""

import pytest

from millpond import keys, moves
from millpond.times import from_ms, to_rq
from tests.millpond.scripts.pond import Pond
from tests.until import until


def reconcile(pond: Pond, searches: int = 2) -> dict[str, int]:
    """A whole pass; what it repaired."""
    repairs: dict[str, int] = {}
    cursor = 0
    while True:
        done = pond.run(moves.reconcile(cursor, 200, searches))
        for kind, number in done.repairs.items():
            repairs[kind] = repairs.get(kind, 0) + number
        cursor = done.cursor
        if not cursor:
            return repairs


def test_what_is_in_its_place_is_left_alone(pond: Pond) -> None:
    pond.submit(2)
    pond.submit(delay_ms=60_000)
    child = pond.hire()
    child.work(1)
    before = pond.dump()
    assert reconcile(pond) == {}
    assert pond.dump() == before


def test_it_looks_at_all_open_jobs_page_by_page(pond: Pond) -> None:
    ids = pond.submit(1000)
    seen, cursor, calls = 0, 0, 0
    while True:
        done = pond.run(moves.reconcile(cursor, 100))
        seen, cursor, calls = seen + done.seen, done.cursor, calls + 1
        if not cursor:
            break
    assert seen >= len(ids)
    assert calls > 3


def test_a_queued_id_that_an_empty_list_lost_is_pushed_again(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", "rq:queue:default")
    assert reconcile(pond) == {"pushed": 1}
    assert pond.queued() == [id]
    assert pond.version(id) == 2
    assert reconcile(pond) == {}


def test_in_a_list_it_is_looked_for_only_when_doubtful(pond: Pond) -> None:
    lost, head = pond.submit(2)
    pond.ask("LREM", "rq:queue:default", 0, lost)
    assert reconcile(pond) == {}
    pond.ask("HSET", keys.job(lost), "enqueued_ms", pond.now() - 31_000)
    assert reconcile(pond, searches=0) == {}
    assert reconcile(pond) == {"pushed": 1}
    assert pond.queued() == [lost, head]


def test_what_waits_behind_an_older_head_is_not_doubtful(pond: Pond) -> None:
    head, behind = pond.submit(2)
    pond.ask("HSET", keys.job(head), "enqueued_ms", pond.now() - 60_000)
    pond.ask("HSET", keys.job(behind), "enqueued_ms", pond.now() - 31_000)
    pond.ask("CONFIG", "RESETSTAT")
    assert reconcile(pond, searches=50) == {}
    assert "cmdstat_lpos" not in pond.ask("INFO", "commandstats")


def test_no_more_searches_than_allowed(pond: Pond) -> None:
    ids = pond.submit(6)
    for id in ids[:-1]:
        pond.ask("HSET", keys.job(id), "enqueued_ms", pond.now() - 31_000)
    pond.ask("LPUSH", "rq:queue:default", "unknown")  # as a head it says nothing of its age
    pond.ask("CONFIG", "RESETSTAT")
    pond.run(moves.reconcile(0, 200, 2))
    assert pond.ask("INFO", "commandstats")["cmdstat_lpos"]["calls"] == 2


def test_a_job_that_waits_to_run_alone_is_pushed_there(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("HSET", keys.job(id), "place", "alone")
    pond.submit()
    assert reconcile(pond) == {"pushed": 1}
    assert pond.queued(place="ALONE") == [id]


def test_a_scheduled_id_that_the_schedule_lost_is_put_back(pond: Pond) -> None:
    (id,) = pond.submit(delay_ms=60_000)
    pond.ask("DEL", "rq:scheduled:default")
    assert reconcile(pond) == {"scheduled": 1}
    assert pond.ask("ZSCORE", "rq:scheduled:default", id) == int(pond.job(id)["run_at_ms"]) / 1000


def test_a_queue_that_a_tool_struck_off_is_listed_again(pond: Pond) -> None:
    """promote walks the listed queues only."""
    (id,) = pond.submit(delay_ms=1)
    pond.ask("SREM", keys.RQ_QUEUES, "rq:queue:default")
    assert reconcile(pond) == {"listed": 1}
    until(lambda: pond.run(moves.promote()) == 1, message="it is due a millisecond after it came")
    assert pond.queued() == [id]


def test_a_lease_of_a_worker_or_generation_that_is_not_listed_is_taken_back(pond: Pond) -> None:
    ids = pond.submit(2)
    pond.hire("w1").work(1)
    pond.hire("w2").work(1)
    pond.ask("HDEL", keys.WORKERS, "w1")
    pond.ask("HDEL", keys.named("GENERATIONS", "w2"), "1")
    assert reconcile(pond) == {"taken_back": 2}
    assert sorted(pond.queued()) == ids
    assert pond.leases("w1") == pond.leases("w2") == set()


@pytest.mark.parametrize("name", ["WORKERS", "GENERATIONS", "LEASES"])
def test_a_list_it_cannot_read_is_not_an_empty_one(pond: Pond, name: str) -> None:
    pond.submit()
    child = pond.hire()
    (job,) = child.work()
    key = {"WORKERS": keys.WORKERS, "GENERATIONS": keys.named("GENERATIONS", "w1"), "LEASES": keys.named("LEASES", "w1:1")}[name]
    pond.ask("DEL", key)
    pond.ask("SET", key, "x")
    reconcile(pond)
    assert pond.job(job.id)["state"] == "started"
    assert child.end(job) == "done"


def test_a_lease_that_its_set_lost_is_put_back(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    (job,) = child.work()
    pond.ask("DEL", keys.named("LEASES", "w1:1"), "rq:wip:default")
    assert reconcile(pond) == {"leased": 1, "shown": 1}
    assert child.held() == {(job.id, job.execution)}
    assert pond.ask("ZSCORE", "rq:wip:default", f"{job.id}:{job.execution}") == float("inf")


def test_a_final_job_nobody_recorded_has_its_event_again_every_ten_seconds(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0])
    assert reconcile(pond) == {}
    pond.ask("HSET", keys.job(id), "ended_at", to_rq(from_ms(pond.now() - 10_001)))
    assert reconcile(pond) == {"resent": 1}
    assert pond.events()[-1] == (id, 3, "resent")
    assert reconcile(pond) == {}
    pond.ask("ZADD", keys.RESENT, pond.now() - 10_001, id)
    assert reconcile(pond) == {"resent": 1}
    pond.run(moves.recorded([moves.Committed(id, 3)]))
    assert pond.ask("ZSCORE", keys.RESENT, id) is None


@pytest.mark.parametrize("kind", ["gone", "corrupt"])
def test_an_id_without_a_readable_hash_is_told_to_the_collector(pond: Pond, kind: str) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    if kind == "corrupt":
        pond.ask("SET", keys.job(id), "x")
    assert reconcile(pond) == {kind: 1}
    assert reconcile(pond) == {}
    assert pond.events()[-1] == (id, 0, kind)
    assert pond.open() == {id}


def test_moves_of_rq_s_are_made_ours(pond: Pond) -> None:
    (failed,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], "failed")
    (queued,), (later,) = pond.submit(), pond.submit(delay_ms=60_000)
    pond.ask("HSET", keys.job(queued), "status", "canceled")
    pond.ask("HSET", keys.job(failed), "status", "queued")
    pond.ask("HSET", keys.job(later), "status", "canceled")
    assert reconcile(pond)["heeded"] == 3
    assert [pond.job(id)["state"] for id in (queued, failed, later)] == ["canceled", "queued", "canceled"]


def test_what_ran_out_ends_where_it_waits(pond: Pond) -> None:
    (queued,), (later,) = pond.submit(), pond.submit(delay_ms=60_000)
    for id in (queued, later):
        pond.ask("HSET", keys.job(id), "expires_ms", 1)
    assert reconcile(pond) == {"expired": 2}
    assert pond.queued() == []
    assert pond.ask("EXISTS", "rq:scheduled:default") == 0
