"""recorded: after the commit, drops the outcomes and takes the job out of the open set if it is final and unchanged, or gone."""

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond, ms


def recorded(pond: Pond, *items: moves.Committed, grace_ms: int = 60_000) -> list[int]:
    return pond.run(moves.recorded(items, grace_ms))


def finished(pond: Pond, status: str = "finished") -> moves.Committed:
    """A job that ended, as a collector read it."""
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], status)
    return moves.Committed(id, pond.version(id), ["o:1:1"])


def test_a_final_job_is_closed_and_its_outcome_dropped(pond: Pond) -> None:
    item = finished(pond)
    assert recorded(pond, item) == [1]
    assert pond.open() == set()
    now = pond.job(item.id)
    assert "o:1:1" not in now
    assert (now["state"], now["version"], now["recorded"]) == ("finished", "3", "3")
    assert 50_000 < pond.ask("ZSCORE", keys.FORGET, item.id) - pond.now() <= 60_000
    assert pond.strange_keys() == []


def test_a_failed_one_is_kept_for_a_retry(pond: Pond) -> None:
    item = finished(pond, "failed")
    recorded(pond, item)
    assert pond.ask("ZSCORE", keys.FORGET, item.id) is None
    assert pond.ask("ZSCORE", keys.named("KEPT", "default"), item.id) == ms(pond.job(item.id)["ended_at"])


def test_sending_it_again_only_moves_the_grace(pond: Pond) -> None:
    item = finished(pond)
    recorded(pond, item)
    before = pond.dump(keys.FORGET)
    assert recorded(pond, item) == [1]
    assert pond.dump(keys.FORGET) == before


@pytest.mark.parametrize("off", [-1, 1])
def test_another_version_stays_open_and_loses_only_what_is_recorded(pond: Pond, off: int) -> None:
    item = finished(pond)
    assert recorded(pond, moves.Committed(item.id, item.version + off, ["o:1:1"])) == [0]
    assert pond.open() == {item.id}
    assert "o:1:1" not in pond.job(item.id)


def test_an_open_job_stays_open(pond: Pond) -> None:
    (id,) = pond.submit()
    assert recorded(pond, moves.Committed(id, 1)) == [0]
    assert pond.open() == {id}


def test_a_requeue_of_rq_s_before_it_is_a_new_run_that_stays_open(pond: Pond) -> None:
    item = finished(pond, "failed")
    pond.ask("HSET", keys.job(item.id), "status", "queued")
    pond.ask("RPUSH", "rq:queue:default", item.id)
    assert recorded(pond, item) == [0]
    assert pond.open() == {item.id}
    assert pond.job(item.id)["run"] == "2"


def test_a_job_recorded_as_gone_is_closed_only_while_it_is(pond: Pond) -> None:
    (id,) = pond.submit()
    assert recorded(pond, moves.Committed(id, 0)) == [0]
    assert pond.open() == {id}
    pond.ask("DEL", keys.job(id))
    assert recorded(pond, moves.Committed(id, 0)) == [1]
    assert pond.open() == set()


def test_a_job_deleted_after_it_was_read_has_that_recorded_too(pond: Pond) -> None:
    item = finished(pond)
    pond.ask("DEL", keys.job(item.id))
    assert recorded(pond, item) == [0]
    assert pond.open() == {item.id}
    assert pond.events()[-1] == (item.id, 0, "gone")
    assert recorded(pond, moves.Committed(item.id, 0)) == [1]


def test_a_corrupt_job_is_closed_when_recorded_as_that(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    pond.ask("SET", keys.job(id), "x")
    assert recorded(pond, moves.Committed(id, 1)) == [0]
    assert pond.kinds(id)[-1] == "corrupt"
    assert recorded(pond, moves.Committed(id, 0)) == [1]


def test_a_stock_job_under_the_id_of_one_that_is_gone(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    pond.ask("HSET", keys.job(id), "status", "deferred", "origin", "default", "data", "x")
    assert recorded(pond, moves.Committed(id, 1)) == [0]
    assert recorded(pond, moves.Committed(id, 0)) == [1]
    assert pond.job(id) == {"status": "deferred", "origin": "default", "data": "x"}


def test_rq_s_producers_keep_their_results_as_long_as_they_asked(pond: Pond) -> None:
    for id, ttl in (("default", ()), ("long", ("result_ttl", 9000)), ("none", ("result_ttl", 0)), ("ever", ("result_ttl", -1))):
        pond.ask("HSET", f"rq:job:{id}", "status", "queued", "origin", "default", "data", "x", *ttl)
        pond.ask("RPUSH", "rq:queue:default", id)
    child = pond.hire()
    for job in child.work():
        child.end(job)
        recorded(pond, moves.Committed(job.id, pond.version(job.id)))
    kept = {id: round((pond.ask("ZSCORE", keys.FORGET, id) - pond.now()) / 1000) for id in ("default", "long", "none", "ever")}
    assert all(abs(kept[id] - seconds) <= 2 for id, seconds in (("default", 500), ("long", 9000), ("none", 60), ("ever", 86_400))), kept


def test_each_item_has_its_answer_in_order(pond: Pond) -> None:
    good, gone, changed = finished(pond), finished(pond), finished(pond)
    (waiting,) = pond.submit()
    pond.ask("DEL", keys.job(gone.id))
    answers = recorded(pond, moves.Committed(waiting, 1), good, moves.Committed(gone.id, 0), moves.Committed(changed.id, 2), good)
    assert answers == [0, 1, 1, 0, 1]


def test_where_it_cannot_write_nothing_is_closed(pond: Pond) -> None:
    item = finished(pond)
    pond.ask("SET", keys.FORGET, "x")
    before = pond.dump()
    assert recorded(pond, item) == [0]
    assert pond.dump() == before
