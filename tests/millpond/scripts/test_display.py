"""display: the hash and the place that stock RQ makes for each execution, for those that last."""

from datetime import datetime

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond, ms


def test_an_execution_has_what_stock_rq_gives_it(pond: Pond) -> None:
    (id,) = pond.submit()
    (job,) = pond.hire().work()
    begun_ms = int(pond.ask("HGET", keys.named("LEASES", "w1:1"), f"{id}:{job.execution}"))
    pond.run(moves.display("w1", [(id, job.execution)]))
    display = pond.ask("HGETALL", f"rq:execution:{id}:{job.execution}")
    assert set(display) == {b"id", b"job_id", b"created_at", b"last_heartbeat", b"worker_name"}
    assert (display[b"id"], display[b"job_id"], display[b"worker_name"]) == (job.execution.encode(), id.encode(), b"w1")
    assert abs(float(display[b"created_at"]) - pond.now() / 1000) < 5
    assert pond.ask("ZSCORE", f"rq:executions:{id}", job.execution) == float("inf")
    assert pond.ask("SMEMBERS", "rq:worker:w1:executions") == {f"{id}:{job.execution}".encode()}
    now = pond.job(id)
    assert datetime.strptime(now["last_heartbeat"], "%Y-%m-%dT%H:%M:%S.%fZ")
    assert (now["attempt"], ms(now["started_at"]), now["version"]) == ("1", begun_ms, "3")
    assert pond.strange_keys() == []


def test_a_start_shows_once(pond: Pond) -> None:
    (id,) = pond.submit()
    (job,) = pond.hire().work()
    pond.run(moves.display("w1", [(id, job.execution)]))
    before = pond.job(id)
    pond.run(moves.display("w1", [(id, job.execution)]))
    assert pond.job(id) | {"last_heartbeat": ""} == before | {"last_heartbeat": ""}


def test_what_is_only_claimed_does_not_show_as_begun(pond: Pond) -> None:
    (id,) = pond.submit()
    (job,) = pond.hire().claim()
    pond.run(moves.display("w1", [(id, job.execution)]))
    assert not {"attempt", "started_at", "mark"} & set(pond.job(id))


def test_what_ended_is_not_shown(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.work()
    child.end(job)
    before = pond.dump()
    pond.run(moves.display("w1", [(id, job.execution), ("gone", job.execution)]))
    assert pond.dump() == before


def test_another_execution_is_not_shown(pond: Pond) -> None:
    (id,) = pond.submit()
    pond.hire().work()
    before = pond.dump()
    pond.run(moves.display("w1", [(id, "1-1")]))
    assert pond.dump() == before
