"""Rule 7. Every accepted job is in the open set until the database has its end, and in exactly one place until it ends; what a tool
of RQ's, a lost id or a paused collector does to it in between is met and repaired."""

from collections.abc import Iterator

import pytest
import redis
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from millpond import keys, moves
from millpond.store import Store
from millpond.times import from_ms, to_rq
from tests.millpond.scripts.pond import STEADY, Pond
from tests.rules.everything import Everything
from tests.servers import RedisServer


@pytest.fixture
def patient(quick_server: RedisServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(quick_server.url, socket_timeout=10) as client:
        yield client


@pytest.mark.timeout(600)
def test_whatever_happens_every_job_ends_once_and_is_recorded(patient: redis.Redis, store: Store, full: bool) -> None:
    """The real scripts, RQ's own library and the real collector, in any order, with pauses between read, commit and `recorded`."""
    depth = settings(STEADY, max_examples=600 if full else 40, stateful_step_count=50, phases=[Phase.generate, Phase.shrink])
    run_state_machine_as_test(lambda: Everything(Pond(patient), store), settings=depth)  # type: ignore[arg-type]


def test_an_id_twice_in_a_list_is_run_once(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("RPUSH", "rq:queue:default", id, id)
    one, two = pond.hire("w1"), pond.hire("w2")
    assert [job.id for job in (*one.claim(1), *two.claim(1), *one.claim(1))] == [id]


def test_only_recorded_takes_a_job_out_of_the_open_set(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0])
    for version in (pond.version(id) - 1, pond.version(id) + 1, 0):
        assert pond.run(moves.recorded([moves.Committed(id, version)])) == [0]
    assert pond.open() == {id}
    assert pond.run(moves.recorded([moves.Committed(id, pond.version(id))])) == [1]
    assert pond.open() == set()


def test_a_new_run_is_open_in_the_move_that_makes_it(pond: Pond) -> None:
    ours, rq_s = pond.submit(2)
    child = pond.hire()
    for job in child.work():
        child.end(job, "failed")
    pond.run(moves.recorded([moves.Committed(id, pond.version(id)) for id in (ours, rq_s)]))
    pond.run(moves.retry(ours))
    assert pond.open() == {ours}
    pond.ask("HSET", keys.job(rq_s), "status", "queued")
    pond.ask("RPUSH", "rq:queue:default", rq_s)
    child.claim()
    assert pond.open() == {ours, rq_s}


@pytest.mark.parametrize("state", ["queued", "alone", "scheduled", "started", "final", "deleted"])
def test_what_fell_out_of_its_place_is_put_back(pond: Pond, state: str) -> None:
    (id,) = pond.submit(delay_ms=60_000 if state == "scheduled" else 0)
    if state == "queued":
        pond.ask("DEL", "rq:queue:default")
    elif state == "alone":
        pond.ask("DEL", "rq:queue:default")
        pond.ask("HSET", keys.job(id), "place", "alone")
    elif state == "scheduled":
        pond.ask("DEL", "rq:scheduled:default")
    elif state == "started":
        pond.hire().work()
        pond.ask("DEL", keys.WORKERS)
    elif state == "final":
        child = pond.hire()
        child.end(child.work()[0])
        pond.ask("DEL", keys.EVENTS)
        pond.ask("HSET", keys.job(id), "ended_at", to_rq(from_ms(pond.now() - 10_001)))
    else:
        pond.ask("DEL", keys.job(id))
    kinds = {"queued": "pushed", "alone": "pushed", "started": "taken_back", "final": "resent", "deleted": "gone"}
    assert set(pond.run(moves.reconcile(0)).repairs) == {kinds.get(state, state)}
    scheduled = [one.decode() for one in pond.ask("ZRANGE", "rq:scheduled:default", 0, -1)]
    places = {"queued": pond.queued(), "started": pond.queued(), "alone": pond.queued(place="ALONE"), "scheduled": scheduled}
    assert id in places.get(state, [job for job, _, _ in pond.events()])
