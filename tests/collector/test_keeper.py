"""The keeper's turns on a real Redis."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from collector import keeper as keeping
from collector.keeper import Keeper
from collector.pulse import Pulse
from millpond import broker, keys, moves
from millpond.settings import CollectorSettings
from tests.collector.running import running
from tests.millpond.scripts.pond import Pond
from tests.servers import RedisServer
from tests.until import holds, until


def turn(keeper: Keeper) -> bool:
    keeper._turn()
    return False


@pytest.fixture
def keeper(client: redis.Redis, redis_url: str) -> Callable[..., Keeper]:
    def make(**settings: object) -> Keeper:
        return Keeper(CollectorSettings(redis_url=redis_url, **settings), client, Pulse(""))  # type: ignore[arg-type]

    return make


@pytest.mark.timeout(60)
def test_the_jobs_of_a_worker_that_stops_beating_run_again_and_a_living_workers_do_not(keeper: Callable[..., Keeper], pond: Pond) -> None:
    lives, dies = pond.hire("lives"), pond.hire("dies")
    ids = pond.submit(4)
    kept, lost = lives.work(2), dies.work(2)

    def taken_back() -> bool:
        pond.run(moves.heartbeat("lives"))
        return bool(pond.queued())

    with running(keeper(), keeper()):
        until(taken_back, 20, "the dead worker's jobs are taken back")
        until(lambda: pond.ask("HEXISTS", keys.WORKERS, "dies") == 0, 5, "it is unregistered")
        holds(lambda: pond.run(moves.heartbeat("lives")), 2)
    assert sorted(pond.queued()) == sorted(one.id for one in lost)
    assert {id for id in ids if pond.job(id)["state"] == "started"} == {one.id for one in kept}


def test_many_leases_are_taken_in_pages(keeper: Callable[..., Keeper], pond: Pond) -> None:
    child = pond.hire()
    pond.submit(450)
    child.claim(450)
    pond.bury("w1")
    one = keeper()
    until(lambda: turn(one) or len(pond.queued()) == 450, message="all is taken back")
    assert pond.ask("HLEN", keys.WORKERS) == 0


def test_all_that_is_due_is_promoted_in_one_turn(keeper: Callable[..., Keeper], pond: Pond) -> None:
    due = [one for _ in range(3) for one in pond.submit(400, delay_ms=1)]
    later = pond.submit(2, delay_ms=3_600_000)
    until(lambda: pond.ask("ZCOUNT", keys.named("SCHEDULED", "default"), "-inf", pond.now() / 1000) == len(due), message="they are due")
    keeper()._turn()
    assert sorted(pond.queued()) == sorted(due)
    assert [pond.job(id)["state"] for id in later] == ["scheduled"] * 2


def test_an_id_that_fell_out_of_its_list_is_put_back(keeper: Callable[..., Keeper], pond: Pond) -> None:
    ids = pond.submit()
    pond.ask("DEL", keys.queue("default"))
    keeper()._turn()
    assert pond.queued() == ids


def test_a_pass_over_many_open_jobs_takes_several_turns_and_begins_again(
    keeper: Callable[..., Keeper], pond: Pond, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RECONCILE_S", 0.0)
    monkeypatch.setattr(keeping, "RECONCILE_EVERY_S", 0.0)
    one = keeper()
    for _ in range(2):
        ids = pond.submit(1000)
        pond.ask("DEL", keys.EVENTS, *map(keys.job, ids))
        one._turn()
        assert 0 < len(pond.events()) < 1000, "a slice"
        until(lambda: turn(one) or one._cursor == 0, message="the pass ends")
        assert {id for id, _, kind in pond.events() if kind == "gone"} == set(ids)
        pond.ask("DEL", keys.OPEN)


def test_recorded_jobs_are_forgotten(keeper: Callable[..., Keeper], pond: Pond) -> None:
    child = pond.hire()
    ids = pond.submit(3)
    for job in child.work():
        child.end(job, "failed" if job.id == ids[0] else "finished")
    pond.run(moves.recorded([moves.Committed(id, pond.version(id)) for id in ids], grace_ms=0))
    one = keeper()
    until(lambda: turn(one) or pond.ask("EXISTS", *map(keys.job, ids)) == 1, message="all but the failed one are forgotten")
    assert pond.job(ids[0])
    pond.ask("DEL", keys.KEEPER)
    keeper(failed_keep=0)._turn()
    assert pond.ask("EXISTS", *map(keys.job, ids)) == 0


def test_one_keeper_of_many_does_the_work_that_needs_only_one(keeper: Callable[..., Keeper], pond: Pond) -> None:
    first, second = keeper(), keeper()
    assert first._holds_lock()
    assert first._holds_lock()
    assert not second._holds_lock()
    assert 0 < int(pond.ask("PTTL", keys.KEEPER)) <= keeping.LOCK_MS
    pond.ask("DEL", keys.KEEPER)
    assert second._holds_lock()
    assert not first._holds_lock()


def test_while_many_events_wait_none_is_sent_again(keeper: Callable[..., Keeper], pond: Pond) -> None:
    ids = pond.submit(1500)
    pond.ask("DEL", *map(keys.job, ids))
    assert len(pond.events()) == 1500
    one = keeper()
    until(lambda: turn(one) or one._cursor == 0, message="a pass ends")
    assert len(pond.events()) == 1500


def test_a_full_redis_is_emptied(keeper: Callable[..., Keeper], pond: Pond) -> None:
    child = pond.hire()
    ids = pond.submit(3)
    for job in child.work():
        child.end(job)
    pond.run(moves.recorded([moves.Committed(id, pond.version(id)) for id in ids], grace_ms=0))
    one = keeper()
    pond.ask("CONFIG", "SET", "maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            pond.ask("SET", "x", "y")
        until(lambda: turn(one) or pond.ask("EXISTS", *map(keys.job, ids)) == 0, message="all are forgotten")
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", 0)


def test_a_keeper_outlives_redis_and_any_fault(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer(server_folder / "keeper") as server:
        pond = Pond(redis.Redis.from_url(server.url, socket_timeout=10))
        with running(Keeper(CollectorSettings(redis_url=server.url), broker.connect(server.url), Pulse(""))):
            until(lambda: pond.ask("EXISTS", keys.TICK), message="it ticks")
            server.kill()
            server.start()
            pond.ask("SET", keys.TICK, 0)
            until(lambda: pond.ask("GET", keys.TICK) != b"0", message="it ticks again")
            with monkeypatch.context() as faulty:
                faulty.setattr(moves, "promote", lambda _: 1 / 0)
                pond.ask("SET", keys.TICK, 0)
                until(lambda: pond.ask("GET", keys.TICK) != b"0", message="it ticks in spite of a fault")
            pond.submit(delay_ms=1)
            until(pond.queued, message="it promotes again")
        pond.client.close()
