"""take_back: takes the leases of a dead worker, having looked itself; retires its generations first, unregisters it last."""

import json

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def take_back(pond: Pond, worker: str = "w1", limit: int = 200) -> int:
    return pond.run(moves.take_back(worker, limit))


def test_all_leases_of_all_generations_and_the_worker_with_them(pond: Pond) -> None:
    ids = pond.submit(4)
    one, two = pond.hire(generation=1), pond.hire(generation=2)
    begun = one.work(2)
    two.claim(2)
    pond.bury("w1")
    assert take_back(pond) == 0
    assert sorted(pond.queued()) == ids
    assert pond.leases(generation=1) == pond.leases(generation=2) == set()
    assert json.loads(pond.job(begun[0].id)["o:1:1"])["code"] == "worker_died"
    assert [pond.job(id).get("deaths", "0") for id in ids] == ["1", "1", "0", "0"]
    for name in (
        keys.WORKERS,
        keys.BEATS,
        keys.MISSED,
        keys.RQ_WORKERS,
        *(keys.named(prefix, "w1") for prefix in ("GENERATIONS", "ALIVE")),
    ):
        assert pond.ask("EXISTS", name) == 0, name
    assert (one.try_claim(), two.try_claim()) == ("retired", "retired")
    assert pond.run(moves.heartbeat("w1")).answer == "unknown"
    assert pond.strange_keys() == []


def test_sending_it_again_changes_nothing(pond: Pond) -> None:
    pond.submit(2)
    pond.hire().work()
    pond.bury("w1")
    take_back(pond)
    before = pond.dump()
    assert take_back(pond) == 0
    assert pond.dump() == before


@pytest.mark.parametrize("life", ["beat", "too few ticks", "old tick", "tick to come"])
def test_it_looks_itself_whether_the_worker_is_dead(pond: Pond, life: str) -> None:
    pond.submit(2)
    pond.hire().work()
    pond.bury("w1")
    if life == "beat":
        pond.run(moves.heartbeat("w1"))
    elif life == "too few ticks":
        pond.ask("HSET", keys.MISSED, "w1", pond.ask("HGET", keys.BEATS, "w1") + b":7")
    elif life == "old tick":
        pond.ask("SET", keys.TICK, pond.now() - 1600)
    else:
        pond.ask("SET", keys.TICK, pond.now() + 5000)
    before = pond.dump()
    assert take_back(pond) == -1
    assert pond.dump() == before


def test_it_takes_pages_and_retires_with_the_first(pond: Pond) -> None:
    pond.submit(9)
    one, two = pond.hire(generation=1), pond.hire(generation=2)
    one.work(5)
    two.work(4)
    pond.bury("w1")
    assert take_back(pond, limit=3) == 6
    assert (one.try_claim(), two.try_claim()) == ("retired", "retired")
    assert pond.ask("HEXISTS", keys.WORKERS, "w1")
    assert [take_back(pond, limit=3), take_back(pond, limit=3)] == [3, 0]
    assert not pond.ask("HEXISTS", keys.WORKERS, "w1")
    assert len(pond.queued()) == 9


def test_a_worker_that_wakes_between_two_pages_keeps_the_rest(pond: Pond) -> None:
    pond.submit(4)
    child = pond.hire()
    jobs = child.work()
    pond.bury("w1")
    assert take_back(pond, limit=2) == 2
    pond.run(moves.heartbeat("w1"))
    assert take_back(pond, limit=2) == -1
    pond.run(moves.reconcile(0))
    held = child.held()
    assert len(held) == 2
    assert not child.compare().live
    assert [child.end(job) for job in jobs if (job.id, job.execution) in held] == ["done", "done"]


def test_wishes_deadlines_and_rerun_never(pond: Pond) -> None:
    pond.submit(3)
    (never,) = pond.submit(fields={"rerun": "never"})
    canceled, late, begun, _ = pond.hire().work()
    pond.run(moves.cancel(canceled.id))
    pond.ask("HSET", keys.job(late.id), "expires_ms", 1)
    pond.bury("w1")
    take_back(pond)
    assert [pond.job(id)["state"] for id in (canceled.id, late.id, begun.id, never)] == ["canceled", "expired", "queued", "failed"]


def test_a_sleeper_is_struck_off_the_idle(pond: Pond) -> None:
    pond.hire().claim()
    assert pond.ask("SMEMBERS", keys.named("IDLE", "default")) == {b"w1:1"}
    pond.bury("w1")
    take_back(pond)
    assert pond.ask("EXISTS", keys.named("IDLE", "default")) == 0


def test_broken_members_and_jobs_do_not_keep_the_worker(pond: Pond) -> None:
    pond.submit(3)
    gone, corrupt, good = pond.hire().work()
    pond.ask("DEL", keys.job(gone.id), keys.job(corrupt.id))
    pond.ask("LPUSH", keys.job(corrupt.id), "x")
    pond.ask("HSET", keys.named("LEASES", "w1:1"), *("no colon", "x", "::", "1", "", ""))
    pond.bury("w1")
    assert take_back(pond) == 0
    assert pond.queued() == [good.id]
    assert pond.ask("HEXISTS", keys.QUARANTINE, corrupt.id)
    assert pond.ask("EXISTS", keys.named("LEASES", "w1:1"), "rq:wip:default") == 0
