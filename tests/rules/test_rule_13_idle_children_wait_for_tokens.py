"""Rule 13. Each sleeper gets a token at most once for the jobs that come; a lost token costs a second, not a job."""

from time import monotonic

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond
from tests.pace import within
from tests.until import until
from tests.worker.mill import Mill


def tokens(pond: Pond, queue: str = "default") -> int:
    return int(pond.ask("LLEN", keys.named("WAKE", queue)))


def sleepers(pond: Pond, number: int) -> None:
    for at in range(number):
        pond.hire(f"sleeper{at}").claim()


@pytest.mark.parametrize(("asleep", "jobs", "there", "expected"), [(0, 3, 0, 0), (3, 2, 0, 2), (2, 5, 0, 2), (3, 3, 2, 3), (1, 1, 4, 4)])
def test_tokens_are_the_sleepers_or_the_jobs_less_those_that_are_there(
    pond: Pond, asleep: int, jobs: int, there: int, expected: int
) -> None:
    sleepers(pond, asleep)
    for _ in range(there):
        pond.ask("RPUSH", keys.named("WAKE", "default"), "1")
    pond.submit(jobs)
    assert tokens(pond) == expected


@pytest.mark.parametrize("how", ["promote", "hand_back", "take_back", "retry", "resume", "reconcile"])
def test_every_script_that_queues_wakes(pond: Pond, how: str) -> None:
    ids = pond.submit(2)
    child = pond.hire()
    jobs = child.claim()
    if how in ("promote", "retry"):
        child.start(*jobs)
        for job in jobs:
            pond.ask("HSET", keys.job(job.id), "max_attempts", 5)
            child.end(job, "failed", retry_ms=0 if how == "promote" else -1)
    sleepers(pond, 3)
    assert tokens(pond) == 0
    if how == "promote":
        pond.run(moves.promote())
    elif how == "hand_back":
        child.hand_back("retire", "died")
    elif how == "take_back":
        pond.bury("w1")
        pond.run(moves.take_back("w1"))
    elif how == "retry":
        for id in ids:
            pond.run(moves.retry(id))
    elif how == "resume":
        pond.ask("RPUSH", "rq:queue:default", "x", "y")
        pond.run(moves.resume("default"))
    else:
        pond.ask("HDEL", keys.WORKERS, "w1")
        pond.run(moves.reconcile(0))
    assert tokens(pond) == 2


@pytest.mark.parametrize("leaves", ["claim", "hand_back", "take_back"])
def test_who_works_or_is_gone_is_not_asleep(pond: Pond, leaves: str) -> None:
    child = pond.hire()
    child.claim()
    assert pond.ask("SMEMBERS", keys.named("IDLE", "default")) == {b"w1:1"}
    if leaves == "claim":
        pond.submit()
        child.claim(1)
    elif leaves == "hand_back":
        child.hand_back("retire", "died")
    else:
        pond.bury("w1")
        pond.run(moves.take_back("w1"))
    assert pond.ask("EXISTS", keys.named("IDLE", "default")) == 0


def test_an_idle_child_waits_for_tokens_and_not_at_the_queue(mill: Mill) -> None:
    with mill.worker():
        until(lambda: [one for one in mill.client.client_list() if one["cmd"] == "blpop"], 5, "it waits, on a connection of its own")
        # A list that somebody waits at would be served before the next command: the id would be gone.
        with mill.client.pipeline(transaction=False) as pipe:
            pipe.rpush(keys.queue("default"), "no job")
            pipe.lrange(keys.queue("default"), 0, -1)
            assert pipe.execute() == [1, [b"no job"]]
        assert mill.result(mill.submit("echo", 1)) == 1


def test_a_lost_token_costs_a_second(mill: Mill) -> None:
    with mill.worker():
        until(lambda: mill.client.scard(keys.named("IDLE", "default")) == 1, 5, "it sleeps")
        mill.client.delete(keys.named("IDLE", "default"))  # nobody is known to sleep: no token
        sent = monotonic()
        mill.submit("nap", mill.file, 0.0)
        assert not mill.client.llen(keys.named("WAKE", "default"))
        assert mill.begun(1, 5)[0].at - sent < within(2.5)
