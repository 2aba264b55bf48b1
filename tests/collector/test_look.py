"""What a collector takes from Redis, whatever lies there."""

import pytest
import redis

from collector import look as looking
from collector.fold import Told
from collector.look import Sight, look
from millpond import keys, moves
from millpond.store import Loss
from tests.millpond.scripts.pond import Pond


def sights(client: redis.Redis, *told: Told) -> dict[str, Sight]:
    return {sight.committed.id: sight for view in look(client, told) for sight in view.sights}


def test_a_snapshot_has_the_job_its_attempts_and_the_outcomes_to_drop(client: redis.Redis, pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], body=b'{"result":[1]}')
    sight = sights(client, Told(id, 1))[id]
    assert sight.job
    assert (sight.job.status, sight.job.result_json, sight.job.version) == ("finished", b"[1]", pond.version(id))
    assert [(one.run, one.attempt, one.status) for one in sight.attempts] == [(1, 1, "finished")]
    assert (sight.committed.version, list(sight.committed.outcomes)) == (sight.job.version, ["o:1:1"])
    assert sight.loss is None


def test_what_rqs_tools_say_waits_until_it_is_a_move(client: redis.Redis, pond: Pond) -> None:
    queued, ended = pond.submit(2)
    child = pond.hire()
    for job in child.work():
        if job.id == ended:
            child.end(job, "failed")
    pond.ask("HSET", keys.job(queued), "status", "canceled")
    pond.ask("HSET", keys.job(ended), "status", "queued")
    found = sights(client, Told(queued, 1), Told(ended, 1))
    assert found[queued].job.status == "started"  # type: ignore[union-attr]
    assert found[ended].job.status == "failed"  # type: ignore[union-attr]


def test_a_hash_that_is_gone_is_a_loss(client: redis.Redis, pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    assert sights(client, Told(id, 4))[id].loss == Loss(id=id, version=4, listed=True, kind="deleted")
    pond.ask("SREM", keys.OPEN, id)
    sight = sights(client, Told(id, 4))[id]
    assert sight.loss == Loss(id=id, version=4, listed=False, kind="deleted")
    assert sight.committed.version == 0


UNREADABLE: dict[str, list[tuple[str | bytes, ...]]] = {
    "a string": [("SET", "x")],
    "a list": [("RPUSH", "x")],
    "no state and no payload": [("HSET", "last_heartbeat", "x")],
    "a version that is no number": [("HSET", "state", "queued", "status", "queued", "version", "x")],
    "a state that nobody knows": [("HSET", "state", "pondering", "status", "queued", "version", "1")],
    "a field that is not UTF-8": [("HSET", "state", "queued", "status", "queued", "version", "1", "owner", b"\xff")],
    "a field's name that is not UTF-8": [("HSET", "state", "queued", "status", "queued", "version", "1", b"\xff", "x")],
    "an outcome that is none": [("HSET", "state", "failed", "status", "failed", "version", "1", "o:1:1", "x")],
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_hash_that_cannot_be_read_is_a_loss(client: redis.Redis, pond: Pond, what: str) -> None:
    for command, *words in UNREADABLE[what]:
        pond.ask(command, keys.job("a"), *words)
    assert sights(client, Told("a", 2))["a"].loss == Loss(id="a", version=2, listed=False, kind="corrupt_job")


def test_a_hash_that_scripts_cannot_read_is_a_loss_though_we_could(client: redis.Redis, pond: Pond) -> None:
    (id,) = pond.submit()
    sight = sights(client, Told(id, 0, corrupt=True))[id]
    assert sight.loss == Loss(id=id, version=0, listed=True, kind="corrupt_job")


def test_a_job_that_stock_rq_put_waits_for_its_adoption(client: redis.Redis, pond: Pond) -> None:
    pond.ask("HSET", keys.job("a"), "data", '["sleep",null,[1],{}]', "status", "queued", "origin", "default")
    assert sights(client, Told("a", 3)) == {}
    assert sights(client, Told("a", 0))["a"].loss == Loss(id="a", version=0, listed=False, kind="deleted")


def test_views_hold_many_jobs_but_bounded_bytes(client: redis.Redis, pond: Pond, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = pond.submit(looking.SLICE * 3 + 1)
    told = [Told(id, 1) for id in ids]
    assert [len(view.sights) for view in look(client, told)] == [len(ids)]
    monkeypatch.setattr(looking, "VIEW_BYTES", 1)
    assert [len(view.sights) for view in look(client, told)] == [1] * len(ids)


def test_redis_time_is_told_with_the_view(client: redis.Redis, pond: Pond) -> None:
    (id,) = pond.submit()
    (view,) = look(client, [Told(id, 1)])
    assert abs(view.redis_now_ms() - pond.now()) < 1000


def test_what_is_on_record_as_it_stands_is_not_recorded_again(client: redis.Redis, pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], "failed")
    (sight,) = sights(client, Told(id, 1)).values()
    pond.run(moves.recorded([sight.committed], 0))
    assert sights(client, Told(id, 1), Told(id, sight.committed.version)) == {}
    pond.ask("HSET", keys.job(id), "status", "queued")  # a dashboard's requeue: `recorded` has yet to make it a move
    assert list(sights(client, Told(id, 1))) == [id]
