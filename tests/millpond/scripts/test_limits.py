"""Limits: judged where jobs are accepted, exact, and counted with the membership of the open set."""

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond, outcome, submission

KEYED = {"digest": b"d" * 16, "body_digest": b"b" * 16}
SIZE = len(submission().data)


def submit(pond: Pond, limits: moves.Limits, *jobs: moves.Submission) -> list[moves.Submitted]:
    return pond.run(moves.submit(jobs, 24, limits))


def verdicts(pond: Pond, limits: moves.Limits, number: int, **options: object) -> list[str]:
    answers = submit(pond, limits, *(submission(**options) for _ in range(number)))  # type: ignore[arg-type]
    return [one.detail or one.answer for one in answers]


def held(pond: Pond) -> tuple[dict[str, int], dict[str, int]]:
    """What owners and queues hold."""
    return tuple({name.decode(): int(n) for name, n in pond.ask("HGETALL", key).items()} for key in (keys.OWNERS, keys.BYTES))  # type: ignore[return-value]


def test_a_queue_takes_as_many_as_its_limit_and_not_one_more(pond: Pond) -> None:
    limits = moves.Limits(queue_jobs=5)
    assert verdicts(pond, limits, 3) == ["accepted"] * 3
    assert verdicts(pond, limits, 4) == ["accepted"] * 2 + ["queue-jobs"] * 2
    assert verdicts(pond, limits, 1) == ["queue-jobs"]
    assert verdicts(pond, limits, 1, queue="other") == ["accepted"]
    assert len(pond.queued()) == 5


def test_scheduled_jobs_and_those_that_wait_alone_or_are_held_are_counted(pond: Pond) -> None:
    limits = moves.Limits(queue_jobs=4)
    assert verdicts(pond, limits, 2, delay_ms=60_000) == ["accepted"] * 2
    pond.ask("RPUSH", keys.named("ALONE", "default"), "x")
    pond.submit(2, fields={"gate": "1 0 0 k"})
    assert len(pond.hire().claim()) == 1
    assert verdicts(pond, limits, 1) == ["queue-jobs"]


def test_a_claim_makes_room_in_the_queue_and_a_record_makes_room_for_the_owner(pond: Pond) -> None:
    limits = moves.Limits(queue_jobs=2, owner_jobs=3)
    assert verdicts(pond, limits, 3) == ["accepted", "accepted", "queue-jobs"]
    child = pond.hire()
    jobs = child.work(2)
    assert verdicts(pond, limits, 2) == ["accepted", "open-jobs"]
    child.finish(*map(outcome, jobs))
    assert verdicts(pond, limits, 1) == ["open-jobs"]
    pond.run(moves.recorded([moves.Committed(jobs[0].id, pond.version(jobs[0].id))]))
    assert verdicts(pond, limits, 2) == ["accepted", "open-jobs"]


def test_bytes_are_of_open_jobs(pond: Pond) -> None:
    limits = moves.Limits(queue_bytes=3 * SIZE)
    assert verdicts(pond, limits, 4) == ["accepted"] * 3 + ["queue-bytes"]
    child = pond.hire()
    child.finish(*map(outcome, child.work(3)))
    assert verdicts(pond, limits, 1) == ["accepted"], "nothing waits or runs there, whatever is not recorded yet"


def test_an_owner_is_told_what_is_left(pond: Pond) -> None:
    limits = moves.Limits(owner_jobs=3)
    mine = {"fields": {"owner": "me"}}
    one, two = submit(pond, limits, submission(**mine), submission(fields={"owner": "you"}))  # type: ignore[arg-type]
    assert (one.left, two.left) == (2, 2)
    assert submit(pond, moves.UNLIMITED, submission())[0].left is None
    assert held(pond)[0] == {"me": 1, "you": 1, "public": 1}


def test_a_known_key_is_answered_whatever_is_full(pond: Pond) -> None:
    (one,) = submit(pond, moves.UNLIMITED, submission(**KEYED))  # type: ignore[arg-type]
    full = moves.Limits(queue_jobs=1, queue_bytes=1, owner_jobs=1, redis_full_at=0.001)
    pond.ask("CONFIG", "SET", "maxmemory", "100mb")
    try:
        two, three, new = submit(pond, full, submission(**KEYED), submission(digest=b"d" * 16, body_digest=b"x" * 16), submission())  # type: ignore[arg-type]
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", "0")
    assert (two.answer, two.id, two.left) == ("replayed", one.id, 0)
    assert three.answer == "mismatch"
    assert (new.answer, new.detail) == ("refused", "open-jobs")


def test_what_is_refused_leaves_nothing_behind(pond: Pond) -> None:
    pond.submit()
    before = pond.dump()
    (refused,) = submit(pond, moves.Limits(queue_jobs=1), submission(**KEYED))  # type: ignore[arg-type]
    assert refused.answer == "refused"
    assert pond.dump() == before
    assert submit(pond, moves.UNLIMITED, submission(**KEYED))[0].answer == "accepted", "its key is free"  # type: ignore[arg-type]


def test_memory_is_judged_by_what_maxmemory_counts(pond: Pond) -> None:
    told = pond.client.info("memory")
    used = told["used_memory"] - told["mem_not_counted_for_evict"]
    pond.ask("CONFIG", "SET", "maxmemory", used * 2)
    try:
        assert verdicts(pond, moves.Limits(redis_full_at=0.3), 2) == ["redis-memory"] * 2
        assert verdicts(pond, moves.Limits(redis_full_at=0.9), 2) == ["accepted"] * 2
        assert verdicts(pond, moves.Limits(), 1) == ["accepted"]
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", "0")
    assert verdicts(pond, moves.Limits(redis_full_at=0.3), 1) == ["accepted"], "no maxmemory, no watermark"


def test_a_broken_counter_stops_no_job(pond: Pond) -> None:
    for key in (keys.OWNERS, keys.BYTES, keys.ACCEPTED):
        pond.ask("SET", key, "text")
    assert verdicts(pond, moves.Limits(owner_jobs=1, queue_bytes=1000), 1) == ["accepted"]


@pytest.mark.parametrize("way", ["retry", "forgotten", "requeued", "adopted"])
def test_what_enters_the_open_set_another_way_is_counted_too(pond: Pond, way: str) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    if way == "adopted":
        pond.ask("HSET", "rq:job:stock", "status", "queued", "origin", "default", "data", "x" * 10)
        pond.ask("RPUSH", "rq:queue:default", "stock")
        child.claim()
        assert held(pond) == ({"public": 2}, {"default": SIZE + 10})
        return
    child.end(child.work()[0], "failed")
    pond.run(moves.recorded([moves.Committed(id, pond.version(id))]))
    assert held(pond) == ({}, {})
    if way == "retry":
        pond.run(moves.retry(id))
    elif way == "forgotten":
        pond.ask("DEL", keys.job(id))
        pond.run(moves.retry(id, 0, submission(id), 4, 1))
    else:
        pond.ask("HSET", keys.job(id), "status", "queued")
        pond.ask("RPUSH", "rq:queue:default", id)
        child.claim()
    assert held(pond) == ({"public": 1}, {"default": SIZE})


def test_a_deleted_job_is_taken_off_as_its_row_told(pond: Pond) -> None:
    mine, other = pond.submit(fields={"owner": "me"}), pond.submit(queue="other")
    pond.ask("DEL", keys.job(mine[0]), keys.job(other[0]))
    lost = moves.Committed(mine[0], 0, owner="me", queue="default", bytes=SIZE)
    pond.run(moves.recorded([lost]))
    pond.run(moves.recorded([lost]))
    assert held(pond) == ({"public": 1}, {"other": SIZE})
    pond.submit()
    pond.run(moves.recorded([moves.Committed(other[0], 0)]))
    assert held(pond)[0] == {"public": 1}, "of a lone owner's jobs it is known whose it was"


def test_an_empty_open_set_holds_nothing(pond: Pond) -> None:
    pond.ask("HSET", keys.OWNERS, "public", 7)
    pond.ask("HSET", keys.BYTES, "default", 700)
    pond.run(moves.recorded([moves.Committed("gone", 0)]))
    assert held(pond) == ({}, {})


def test_ends_and_accepted_jobs_are_counted_for_a_minute(pond: Pond) -> None:
    drained = keys.named("DRAINED", "default")
    second = pond.now() // 1000
    for key in (drained, keys.ACCEPTED):
        pond.ask("HSET", key, second - 61, 5, second - 59, 6, "nonsense", 1)
    pond.submit(3)
    child = pond.hire()
    child.finish(*map(outcome, child.work(3)))
    for key in (drained, keys.ACCEPTED):
        counted = {name.decode(): int(jobs) for name, jobs in pond.ask("HGETALL", key).items()}
        assert counted.pop(str(second - 59), 6) == 6
        assert sum(counted.values()) == 3
        assert all(second <= int(at) <= pond.now() // 1000 for at in counted)
