"""What is claimed, and when: what free slots can begin, a little ahead of short jobs, and at once when a token comes."""

import math
from collections.abc import Iterator
from statistics import median
from time import monotonic
from typing import Any

import pytest

from millpond.moves import Claim, Claimed
from tests.until import holds, until
from tests.worker.mill import Mill
from worker.claims import Claims
from worker.desk import Desk, Me
from worker.inbox import Inbox
from worker.orders import Orders
from worker.pace import Pace
from worker.pool import Pool
from worker.run import Ears
from worker.shared import Shared
from worker.voice import LogLimits
from worker.waker import Waker
from worker.will import Will


def held(mill: Mill) -> int:
    return sum(map(len, mill.held().values()))


def test_no_more_is_claimed_than_slots_can_begin(mill: Mill) -> None:
    ids = mill.submit_many("nap", [(mill.file, 0.3)] * 8)
    with mill.worker(concurrency=2):
        most = 0
        while mill.state(ids[-1]) != "finished":
            most = max(most, held(mill))
        assert most == 2


def test_what_waits_for_a_slot_goes_back_after_100_ms(mill: Mill) -> None:
    """Short jobs let it claim ahead; then come long ones."""
    for _ in range(8):
        mill.submit_many("noop", [()] * 250)
    long = mill.submit_many("nap", [(mill.file, 3.0)] * 60)
    with mill.worker(concurrency=2):
        mill.begun(2, 30)
        until(lambda: held(mill) == 2, 1.5, "what it had claimed ahead is back")
        waiting = [id.decode() for id in mill.client.lrange("rq:queue:default", 0, -1)]  # type: ignore[union-attr]
        assert waiting == long[2:]  # at the head, in their order
        assert {mill.job(id).get("attempt", "0") for id in waiting} == {"0"}
        holds(lambda: held(mill) == 2, 0.5, "it claimed them again")


def test_a_sleeper_claims_within_a_millisecond(mill: Mill, full: bool) -> None:
    took = []
    with mill.worker():
        for _ in range(40):
            until(lambda: mill.client.scard("mp:idle:default"), 5, "it sleeps", every_s=0.001)
            id = mill.submit("noop")
            mill.wait(id)
            claimed_ms = int(mill.job(id)["execution"].partition("-")[0], 16)
            took.append(claimed_ms - int(mill.job(id)["enqueued_ms"]))
    assert (median(took) if full else min(took)) <= 1, took


@pytest.fixture
def desk(inbox: Inbox) -> Iterator[Desk]:
    """A child's, with 20 threads; its worker's life was confirmed just now."""
    limits: dict[str, Any] = {"slots": 20, "prefetch": -1, "runner_jobs": 0, "runner_memory_mb": 0, "max_result_bytes": 1_000}
    logs: dict[str, Any] = {"log_level": "info", "max_log_lines": 10, "max_log_bytes": 1_000, "measured": False}
    place: dict[str, Any] = {
        "worker": "w",
        "generation": 1,
        "alone": False,
        "parent": 0,
        "redis_url": "",
    }
    files: dict[str, Any] = {"pipe": 0, "shared": 0, "will": 0}
    pool = Pool(Orders(**limits, **logs, **place, **files, queues=("q",), tasks=(), pool="thread", failpoint=""), {}, inbox)
    will, shared = Will.make(), Shared.make()
    shared.confirmed_at = monotonic()
    yield Desk(Me("w", 1, ("q",)), pool, shared, will, Ears(LogLimits(10, 1_000), lambda run: None))
    will.close()


@pytest.fixture
def claims(desk: Desk, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> Claims:
    """Of a child whose jobs end at 1,000/s and take 20 ms each."""
    monkeypatch.setattr(Pace, "per_s", lambda self, now: 1_000.0)
    desk.pool.typical_s = 0.02
    return Claims(desk, Waker("redis://127.0.0.1:1", ("q",)), -1)


def asked(claims: Claims) -> tuple[int, int]:
    """The free slots, and the jobs ahead, that it would claim for now; (0, 0): it would not."""
    found = claims.requests(monotonic())
    claims.lost()
    return tuple(found[0].call.args[2:4]) if found else (0, 0)  # type: ignore[return-value]


def answer(claims: Claims, jobs: int) -> None:
    """Have its claim answered by so many jobs."""
    (request,) = claims.requests(monotonic())
    request.answered(Claim("ok", [Claimed(f"{number}", "1", {}) for number in range(jobs)]))


def test_as_many_are_claimed_ahead_as_slots_can_do_in_10_ms(claims: Claims, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(claims) == (20, 10)
    desk.pool.typical_s = 0.1
    assert asked(claims) == (20, 2)
    desk.pool.typical_s = 1.0
    assert asked(claims) == (20, 0)
    desk.pool.typical_s = 0.001
    assert asked(claims) == (20, 40), "those that end in 40 ms, where others share Redis"
    monkeypatch.setattr(Pace, "per_s", lambda self, now: 100_000.0)
    assert asked(claims) == (20, 80), "four times the slots at most"
    monkeypatch.setattr(Pace, "per_s", lambda self, now: 0.0)
    assert asked(claims) == (20, 0), "nothing ended of late: they may turn out long"


def test_what_was_got_decides_whether_more_is_asked_for(claims: Claims) -> None:
    answer(claims, 30)
    assert asked(claims) == (0, 0), "all that may be ahead is here"


def test_a_queue_found_empty_is_not_asked_again(claims: Claims) -> None:
    answer(claims, 22)
    assert (asked(claims), claims.idle) == ((0, 0), False), "no slot is free, and there is nothing to have ahead"
    claims.wake()
    assert asked(claims) == (0, 8)


def test_who_has_a_slot_free_waits_for_a_token(claims: Claims) -> None:
    answer(claims, 19)
    assert (asked(claims), claims.idle) == ((0, 0), True)
    claims.wake()
    assert asked(claims) == (1, 10)


def test_a_claim_is_answered_before_the_next(claims: Claims) -> None:
    (request,) = claims.requests(monotonic())
    assert claims.requests(monotonic()) == []
    request.answered(Claim("ok", []))
    assert (claims.asked, claims.idle) == (False, True)


def test_many_slots_are_claimed_for_in_pieces_abreast(claims: Claims, desk: Desk) -> None:
    desk.pool.size = 100
    requests = claims.requests(monotonic())
    assert [request.call.args[2] for request in requests] == [32, 32, 32], "for the other 4 when one of these is answered"
    requests[0].answered(Claim("ok", [Claimed(f"{number}", "1", {}) for number in range(32)]))
    assert claims.requests(monotonic()) == []
    for request in requests[1:]:
        request.answered(Claim("ok", []))
    assert (claims.asked, claims.idle) == (False, True)


def test_the_last_of_claims_abreast_says_whether_it_is_idle(claims: Claims, desk: Desk) -> None:
    """The second came after something was queued, and left the list of the idle again."""
    desk.pool.size = 64
    first, second = claims.requests(monotonic())
    first.answered(Claim("ok", []))
    was_idle = claims.idle
    second.answered(Claim("ok", [Claimed(f"{number}", "1", {}) for number in range(32)]))
    assert (was_idle, claims.idle) == (True, False)
    assert asked(claims) == (32, 32)


def test_a_gate_s_time_is_not_forgotten_when_later_claims_are_told_that_enough_come_back(claims: Claims, desk: Desk) -> None:
    desk.pool.size = 64
    first, second = claims.requests(monotonic())
    first.answered(Claim("ok", [], back_in_ms=50))
    second.answered(Claim("ok", []))
    opens_at = claims.next_at(monotonic())
    assert 0 < opens_at - monotonic() <= 0.05
    assert not claims.wanted(opens_at - 0.01)
    assert claims.wanted(opens_at)
    assert claims.next_at(opens_at) == math.inf


def test_a_token_that_comes_before_the_answer_is_not_forgotten(claims: Claims) -> None:
    (request,) = claims.requests(monotonic())
    claims.wake()
    request.answered(Claim("ok", []))
    assert (asked(claims), claims.idle) == ((20, 10), False)
