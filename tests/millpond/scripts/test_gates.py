"""Gates: claim lets so many executions of one key run at once, and so few begin in any window; what ends one calls up the next."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond import keys, moves
from tests.millpond.scripts.pond import STEADY, Child, Pond, ms, new_id, outcome, submission
from tests.until import until

ONE = {"gate": "1 0 0 k"}  # one at once
TWO = {"gate": "2 0 0 k"}
MARGIN_MS = 5  # of scripts/common/gate.lua


def rate(starts: int, window_ms: int = 60_000, most: int = 0) -> dict[str, moves.Arg]:
    return {"gate": f"{most} {starts} {window_ms} k"}


def held(pond: Pond, key: str = "k") -> list[str]:
    """The ids that a gate keeps aside, the next first."""
    return [id.decode() for id in pond.ask("LRANGE", keys.named("HELD", key), 0, -1)]


def running(pond: Pond, key: str = "k") -> int:
    return int(pond.ask("SCARD", keys.named("RUN", key)))


def traces(pond: Pond) -> list[str]:
    """What is left of gates."""
    names = ("mp:held:*", "mp:run:*", "mp:turns", "mp:opens", "mp:aside:*")
    return [key.decode() for name in names for key in pond.ask("KEYS", name)]


def pass_time(pond: Pond, ms: int) -> None:
    """Have the starts counted so far, and the openings foretold, be so much earlier."""
    for key in (keys.named("STARTS", "k"), keys.OPENS):
        for member in pond.ask("ZRANGE", key, 0, -1):
            pond.ask("ZINCRBY", key, -ms, member)


# -- how many at once ---------------------------------------------------------------------------------------------------------


def test_no_more_than_so_many_run_and_others_pass(pond: Pond) -> None:
    ids = pond.submit(4, fields=TWO)
    (other,) = pond.submit()
    (another,) = pond.submit(fields={"gate": "1 0 0 other"})
    child = pond.hire()
    assert [job.id for job in child.work()] == [*ids[:2], other, another]
    assert held(pond) == ids[2:]
    assert pond.queued() == []
    shown = pond.job(ids[2])
    assert (shown["state"], shown["status"], shown["place"], shown["version"]) == ("queued", "queued", "held", "2")
    assert pond.open() == {*ids, other, another}


def test_an_end_calls_up_the_next_to_the_head_of_its_queue(pond: Pond) -> None:
    first, second, third = pond.submit(3, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    (later,) = pond.submit()
    child.end(job)
    assert pond.queued() == [second, later]
    assert held(pond) == [third]
    assert [job.id for job in child.work()] == [second, later]
    assert first not in pond.queued()


def test_one_in_another_queue_goes_to_that_queue(pond: Pond) -> None:
    pond.submit(fields=ONE)
    (id,) = pond.submit(queue="other", fields=ONE)
    child = pond.hire(queues=["default", "other"])
    (job,) = child.work()
    pond.hire("w2", queues=["other"]).claim()  # sleeps
    child.end(job)
    assert pond.queued("other") == [id]
    assert pond.ask("LLEN", keys.named("WAKE", "other")) == 1


def test_nothing_is_left_of_a_gate_that_nobody_uses(pond: Pond) -> None:
    pond.submit(5, fields=rate(2, 1, most=2))
    child = pond.hire()

    def all_ended() -> bool:
        child.finish(*map(outcome, child.work()))
        return traces(pond) == [] and pond.queued() == []

    until(all_ended, 5, "nothing is left")
    assert pond.strange_keys() == []


def _finish(child: Child, job: moves.Claimed) -> None:
    child.end(job)


def _fail(child: Child, job: moves.Claimed) -> None:
    child.end(job, "failed", retry_ms=60_000)


def _hand_back(child: Child, job: moves.Claimed) -> None:
    child.hand_back("items", jobs=[job])


def _die(child: Child, job: moves.Claimed) -> None:
    child.hand_back("retire", "died")
    child.pond.hire("w1", 2)


def _worker_dies(child: Child, job: moves.Claimed) -> None:
    child.pond.bury("w1")
    assert child.pond.run(moves.take_back("w1")) == 0


def _be_deleted(child: Child, job: moves.Claimed) -> None:
    child.pond.ask("DEL", keys.job(job.id))
    assert child.end(job) == "gone"


def _be_damaged(child: Child, job: moves.Claimed) -> None:
    child.pond.ask("HSET", keys.job(job.id), "version", "x")
    assert child.end(job) == "gone"


def _be_lost(child: Child, job: moves.Claimed) -> None:
    child.pond.ask("DEL", keys.WORKERS)
    child.pond.run(moves.reconcile(0))


@pytest.mark.parametrize("end", [_finish, _fail, _hand_back, _die, _worker_dies, _be_deleted, _be_damaged, _be_lost])
@pytest.mark.parametrize("begun", [True, False])
def test_however_an_execution_ends_its_turn_is_the_next_one_s(pond: Pond, end: Callable[[Child, Any], None], begun: bool) -> None:
    pond.submit(fields={"gate": "1 0 0 k", "max_attempts": 2})
    (second,) = pond.submit(fields=ONE)
    child = pond.hire()
    (job,) = child.work() if begun else child.claim()
    assert child.claim() == []
    assert held(pond) == [second]
    end(child, job)
    assert held(pond) == []
    assert second in pond.queued()
    assert (running(pond), pond.ask("HLEN", keys.TURNS)) == (0, 0)


@pytest.mark.parametrize("wish", ["cancel", "expire", "by_rq"])
def test_what_was_called_up_and_ends_passes_its_turn_on(pond: Pond, wish: str) -> None:
    _, second, third = pond.submit(3, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    child.end(job)
    assert (pond.queued(), held(pond)) == ([second], [third])
    if wish == "cancel":
        pond.run(moves.cancel(second))
    else:
        pond.ask("HSET", keys.job(second), *(("expires_ms", 1) if wish == "expire" else ("status", "canceled")))
    assert [job.id for job in child.claim()] == [third]


@pytest.mark.parametrize("wish", ["cancel", "expire", "by_rq"])
def test_what_is_held_can_end(pond: Pond, wish: str) -> None:
    _, second, third = pond.submit(3, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    if wish == "cancel":
        assert pond.run(moves.cancel(second)).answer == "ok"
        assert held(pond) == [third]
    else:
        pond.ask("HSET", keys.job(second), *(("expires_ms", 1) if wish == "expire" else ("status", "canceled")))
        pond.run(moves.reconcile(0))
    assert pond.job(second)["state"] == ("expired" if wish == "expire" else "canceled")
    assert pond.ask("ZRANGE", keys.named("ASIDE", "default"), 0, -1) == [third.encode()]
    child.end(job)
    assert pond.queued() == [third]


def test_a_deleted_one_is_passed_over(pond: Pond) -> None:
    _, second, third = pond.submit(3, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    pond.ask("DEL", keys.job(second))
    child.end(job)
    assert pond.queued() == [third]
    assert pond.ask("EXISTS", keys.named("ASIDE", "default")) == 0


def test_one_that_was_called_up_and_overtaken_is_the_next_again(pond: Pond) -> None:
    first, second, third = pond.submit(3, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    for at, id in enumerate((first, second, third)):
        pond.ask("HSET", keys.job(id), "enqueued_ms", at)
    child.end(job)
    pond.run(moves.submit([submission(fields=dict(ONE), front=True)], 24))
    child.work(1)
    assert child.claim() == []
    assert held(pond) == [second, third]


def test_a_paused_queue_keeps_nobody_elsewhere_waiting(pond: Pond) -> None:
    pond.submit(fields=ONE)
    (paused,) = pond.submit(queue="low", fields=ONE)
    (id,) = pond.submit(queue="default", fields=ONE)
    child = pond.hire(queues=["default", "low"])
    (job,) = child.work()
    pond.ask("LPUSH", keys.named("HELD", "k"), paused)
    pond.ask("LREM", keys.named("HELD", "k"), -1, paused)
    pond.run(moves.pause("low"))
    child.end(job)
    assert [one.id for one in child.work()] == [id]
    assert pond.queued("low") == [paused]


def test_what_waits_alone_passes_the_same_gate(pond: Pond) -> None:
    first, second = pond.submit(2, fields={"gate": "1 0 0 k", "deaths": 2})
    for id in (first, second):
        pond.ask("LREM", keys.queue("default"), 0, id)
        pond.ask("RPUSH", keys.named("ALONE", "default"), id)
        pond.ask("HSET", keys.job(id), "place", "alone")
    child = pond.hire()
    (job,) = child.work(alone=True)
    assert held(pond) == [second]
    child.end(job)
    assert pond.queued(place="ALONE") == [second]
    assert [job.id for job in child.claim(alone=True)] == [second]


@pytest.mark.parametrize("way", ["promote", "retry", "requeue", "front", "batch"])
def test_every_way_into_a_queue_ends_before_the_gate(pond: Pond, way: str) -> None:
    pond.submit(fields=ONE)
    child = pond.hire()
    child.work()
    (id,) = pond.submit(fields=ONE, delay_ms=60_000 if way == "promote" else 0, front=way == "front")
    if way == "promote":
        pond.ask("ZADD", "rq:scheduled:default", 1, id)
        pond.run(moves.promote())
    elif way in ("retry", "requeue"):
        pond.run(moves.cancel(id))
        if way == "retry":
            pond.run(moves.retry(id))
        else:
            pond.ask("HSET", keys.job(id), "status", "queued")
            pond.ask("RPUSH", keys.queue("default"), id)
    elif way == "batch":
        pond.run(moves.cancel(id))
        batch = moves.new_batch_id()
        pond.run(moves.begin(batch, b"", 1, 60))
        terms = submission(fields=dict(ONE))
        pond.run(moves.append(batch, moves.Lines(0, 1, b"d", {1: (terms, terms.data)})))
        id = moves.line_id(batch, 1)
    assert child.claim() == []
    assert held(pond) == [id]


# -- how many begin in a window -----------------------------------------------------------------------------------------------


def test_no_more_than_so_many_begin_in_a_window(pond: Pond) -> None:
    ids = pond.submit(5, fields=rate(2))
    child = pond.hire()
    jobs = child.work()
    assert [job.id for job in jobs] == ids[:2]
    child.finish(*map(outcome, jobs))
    counted = [float(pond.ask("ZSCORE", keys.named("STARTS", "k"), f"{job.id}:{job.execution}")) for job in jobs]
    assert counted == [ms(pond.job(id)["started_at"]) + 60_000 + MARGIN_MS for id in ids[:2]]
    pass_time(pond, 30_000)
    assert child.claim() == []
    pass_time(pond, 30_000 + MARGIN_MS)
    assert [job.id for job in child.work()] == ids[2:4]


def test_claim_tells_when_to_come_back(pond: Pond) -> None:
    pond.submit(3, fields=rate(1))
    child = pond.hire()
    child.work(1)
    claim = pond.run(moves.claim("w1", 1, 5, ["default"]))
    assert claim.jobs == []
    assert claim.back_in_ms is not None
    assert 59_000 < claim.back_in_ms <= 60_000 + MARGIN_MS
    pond.run(moves.claim("w1", 1, 5, ["default"]))
    assert pond.run(moves.claim("w1", 1, 5, ["default"])).back_in_ms is not None


def test_so_many_come_back_for_an_opening_and_not_everybody(pond: Pond) -> None:
    pond.submit(2, fields=rate(1))
    pond.hire("w0").work()
    for number in range(5):
        pond.hire(f"w{number}")
    told = [pond.run(moves.claim(f"w{number}", 1, 5, ["default"])).back_in_ms is not None for number in range(5)]
    assert told == [True, True, False, False, False]  # the one that keeps it aside is the first of three
    (id,) = pond.submit(fields={"gate": "0 1 100 sooner"})
    assert [job.id for job in pond.hire("w0").claim()] == [id]
    pond.submit(fields={"gate": "0 1 100 sooner"})
    claim = pond.run(moves.claim("w1", 1, 5, ["default"]))
    assert claim.back_in_ms is not None
    assert claim.back_in_ms <= 100 + MARGIN_MS


def test_without_gates_nobody_is_told_to_come_back(pond: Pond) -> None:
    pond.submit()
    pond.hire()
    assert pond.run(moves.claim("w1", 1, 5, ["default"])).back_in_ms is None


def test_what_is_claimed_and_not_begun_counts_until_a_window_after_its_start(pond: Pond) -> None:
    pond.submit(2, fields=rate(1))
    child = pond.hire()
    (job,) = child.claim(1)
    pass_time(pond, 120_000)
    assert child.claim() == []
    assert pond.ask("PTTL", keys.named("STARTS", "k")) > 12 * 3_600_000  # it may wait as long behind what runs
    child.start(job)
    assert 30_000 < pond.ask("PTTL", keys.named("STARTS", "k")) <= 60_000 + MARGIN_MS  # then nobody need know of it
    pass_time(pond, 30_000)
    assert child.claim() == []
    pass_time(pond, 30_000 + MARGIN_MS)
    assert len(child.claim()) == 1


def test_what_never_began_gives_its_start_back_and_what_did_does_not(pond: Pond) -> None:
    pond.submit(2, fields=rate(1))
    child = pond.hire()
    child.hand_back("items", jobs=child.claim(1))
    (job,) = child.work(1)
    child.hand_back("retire", "died")
    assert pond.hire("w1", 2).claim() == []
    assert job.id in held(pond)


def test_a_start_whose_mark_was_lost_counts_from_when_it_was(pond: Pond) -> None:
    pond.submit(2, fields=rate(1))
    child = pond.hire()
    (job,) = child.claim(1)
    child.end(job, run_ms=59_000)
    assert child.claim() == []
    pass_time(pond, 1000 + MARGIN_MS)
    assert len(child.claim()) == 1


def test_a_sleeper_is_told_of_an_opening_that_it_did_not_see(pond: Pond) -> None:
    idle = pond.hire("w2")
    assert idle.claim() == []
    pond.submit(2, fields=rate(1))
    pond.ask("DEL", keys.named("WAKE", "default"))
    pond.hire().claim()
    assert pond.ask("LLEN", keys.named("WAKE", "default")) == 1
    assert pond.run(moves.claim("w2", 1, 5, ["default"])).back_in_ms is not None


def test_a_keeper_opens_what_no_claim_did_and_compare_sees_it(pond: Pond) -> None:
    _, second = pond.submit(2, fields=rate(1))
    child = pond.hire()
    child.work()
    pass_time(pond, 60_000 + MARGIN_MS)
    assert child.compare().waiting == 1
    pond.run(moves.promote())
    assert pond.queued() == [second]
    assert child.compare().waiting == 1


def test_a_clock_that_was_set_back_shuts_no_gate(pond: Pond) -> None:
    pond.submit(2, fields=rate(1))
    child = pond.hire()
    (job,) = child.work(1)
    child.end(job)
    pass_time(pond, -3_600_000)
    assert len(child.claim()) == 1


def test_so_many_are_kept_aside_that_a_claim_comes_back_at_once(pond: Pond) -> None:
    pond.submit(1, fields=ONE)
    pond.submit(450, fields=ONE)
    (last,) = pond.submit()
    pond.hire()
    claims = [pond.run(moves.claim("w1", 1, 5, ["default"])) for _ in range(5)]
    assert [claim.back_in_ms for claim in claims] == [0, 0, 0, 0, None]
    assert [job.id for job in claims[4].jobs] == [last]


@dataclass
class Shift:
    """Two workers and what they hold; a rush is each move once, as fast as may be."""

    workers: list[Child]
    waiting: list[tuple[Child, moves.Claimed]] = field(default_factory=list)
    running: list[tuple[Child, moves.Claimed]] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)  # by Redis's clock

    def claim(self, number: int, slots: int) -> None:
        child = self.workers[number]
        child.pond.run(moves.heartbeat(child.worker))
        self.waiting += [(child, job) for job in child.claim(slots)]

    def start(self) -> None:
        if self.waiting:
            child, job = self.waiting.pop(0)
            child.start(job)
            self.running.append((child, job))
            self.begun.append(ms(child.pond.job(job.id)["started_at"]))

    def end(self) -> None:
        if self.running:
            child, job = self.running.pop(0)
            child.end(job)

    def give_back(self) -> None:
        if self.waiting:
            child, job = self.waiting.pop()
            child.hand_back("items", jobs=[job])

    def rush(self) -> int:
        """Answers how many have begun."""
        for number in range(2):
            self.claim(number, 4)
        while self.waiting:
            self.start()
        while self.running:
            self.end()
        return len(self.begun)


@given(data=st.data(), starts=st.integers(1, 3), most=st.integers(0, 3), window_ms=st.integers(20, 50))
@settings(STEADY, max_examples=12)
def test_never_more_than_the_limits_however_workers_take_turns(pond: Pond, data: Any, starts: int, most: int, window_ms: int) -> None:
    """Real time: jobs begin as fast as they may, in any order of two workers' moves."""
    pond.client.flushall()
    ids = pond.submit(3 * starts + 3, fields=rate(starts, window_ms, most))
    shift = Shift([pond.hire("w1"), pond.hire("w2")])
    deeds = {
        "claim": lambda: shift.claim(data.draw(st.integers(0, 1)), data.draw(st.integers(1, 4))),
        "start": shift.start,
        "end": shift.end,
        "back": shift.give_back,
    }
    for _ in range(30):
        deeds[data.draw(st.sampled_from(sorted(deeds)))]()
        assert not most or len(shift.running) <= most
    until(lambda: shift.rush() == len(ids), 10, "all began")
    times = sorted(shift.begun)
    assert all(later - first > window_ms for first, later in zip(times, times[starts:], strict=False)), times


# -- the nets -----------------------------------------------------------------------------------------------------------------


def test_a_held_job_that_fell_out_of_its_list_is_queued_again(pond: Pond) -> None:
    _, second = pond.submit(2, fields=ONE)
    child = pond.hire()
    child.work()
    pond.ask("DEL", keys.named("HELD", "k"))
    assert pond.run(moves.reconcile(0)).repairs == {"pushed": 1}
    assert pond.queued() == [second]
    assert pond.ask("EXISTS", keys.named("ASIDE", "default")) == 0


@pytest.mark.parametrize("lost", ["turn", "call"])
def test_a_gate_whose_turn_was_lost_opens_again(pond: Pond, lost: str) -> None:
    first, second = pond.submit(2, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    if lost == "turn":
        pond.ask("SADD", keys.named("RUN", "k"), f"{first}:of-before", f"{new_id()}:gone")
        child.end(job)
        assert held(pond) == [second]
    else:
        pond.ask("DEL", keys.named("RUN", "k"))
    assert "called_up" in pond.run(moves.reconcile(0)).repairs
    assert pond.queued() == [second]


def test_a_start_that_was_promised_to_what_is_no_more_is_free_again(pond: Pond) -> None:
    first, second, third = pond.submit(3, fields=rate(2))
    pond.hire().claim(1)
    pond.ask("ZADD", keys.named("STARTS", "k"), "+inf", f"{new_id()}:gone")
    child = pond.hire("w2")
    assert child.claim() == []
    assert held(pond) == [second, third]
    assert "called_up" in pond.run(moves.reconcile(0)).repairs
    assert [job.id for job in child.claim()] == [second]
    assert pond.job(first)["state"] == "started"


def test_a_deleted_job_that_still_runs_keeps_its_turn_until_its_end(pond: Pond) -> None:
    _, second = pond.submit(2, fields=ONE)
    child = pond.hire()
    (job,) = child.work()
    pond.ask("DEL", keys.job(job.id))
    pond.run(moves.reconcile(0))
    assert held(pond) == [second]
    child.end(job)
    assert pond.queued() == [second]


@pytest.mark.parametrize("gate", ["", "x", "1", "1 0 0 ", "-1 0 0 k", "0 0 0 k"])
def test_what_is_no_gate_lets_pass(pond: Pond, gate: str) -> None:
    pond.submit(3, fields={"gate": gate})
    child = pond.hire()
    assert [child.end(job) for job in child.work()] == ["done"] * 3
    assert traces(pond) == []
