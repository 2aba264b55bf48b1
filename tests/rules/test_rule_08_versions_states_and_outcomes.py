"""Rule 8. Every move has a version, RQ's moves become ours, each outcome is kept until it is recorded, and the record is the same
whatever order its events come in, and whoever writes them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import pytest

from collector.fold import Told
from collector.look import Sight, look
from collector.record import record
from millpond import keys, moves
from millpond.errors import RowRefused
from millpond.job import Job, to_submission
from millpond.store import Store, open_store
from tests.millpond.scripts.pond import Pond


def see(pond: Pond, id: str) -> Sight:
    """What a collector reads of one job now."""
    (view,) = look(pond.client, [Told(id, 1)])
    (sight,) = view.sights
    return sight


def test_every_move_adds_to_the_version(pond: Pond) -> None:
    (id,) = pond.submit(fields={"max_attempts": 2})
    child = pond.hire()
    seen = [pond.version(id)]

    def step(move: Callable[[], object]) -> None:
        move()
        seen.append(pond.version(id))

    step(lambda: child.hand_back("items", jobs=child.claim()))
    (job,) = child.claim()
    seen.append(pond.version(id))
    child.start(job)
    step(lambda: pond.run(moves.display("w1", [(job.id, job.execution)])))
    step(lambda: child.end(job, "failed", retry_ms=0))
    step(lambda: pond.run(moves.promote()))
    (job,) = child.claim()
    seen.append(pond.version(id))
    step(lambda: pond.run(moves.report([moves.Report(job.id, job.execution, b"0.5")])))
    step(lambda: pond.run(moves.cancel(id)))
    step(lambda: child.end(job, "canceled"))
    step(lambda: pond.run(moves.retry(id)))
    assert seen == sorted(set(seen)), seen


@pytest.mark.parametrize(("word", "state"), [("canceled", "canceled"), ("stopped", "stopped")])
@pytest.mark.parametrize("meets", ["claim", "reconcile", "cancel"])
def test_an_end_that_rq_wrote_becomes_ours(pond: Pond, word: str, state: str, meets: str) -> None:
    (id,) = pond.submit()
    pond.ask("HSET", keys.job(id), "status", word)
    met: dict[str, Callable[[], object]] = {
        "claim": lambda: pond.hire().claim(),
        "reconcile": lambda: pond.run(moves.reconcile(0)),
        "cancel": lambda: pond.run(moves.cancel(id)),
    }
    met[meets]()
    job = pond.job(id)
    assert (job["state"], job["reason"], job["version"]) == (state, "by_rq", "2")
    assert pond.kinds(id) == ["accepted", "ended"]


@pytest.mark.parametrize("meets", ["claim", "reconcile", "recorded", "forget"])
def test_a_requeue_that_rq_wrote_becomes_a_new_run(pond: Pond, meets: str) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], "failed")
    committed = [moves.Committed(id, pond.version(id))]
    if meets in ("claim", "forget"):
        pond.run(moves.recorded(committed))
    pond.ask("HSET", keys.job(id), "status", "queued")
    pond.ask("RPUSH", "rq:queue:default", id)
    met: dict[str, Callable[[], object]] = {
        "claim": child.claim,
        "reconcile": lambda: pond.run(moves.reconcile(0)),
        "recorded": lambda: pond.run(moves.recorded(committed)),
        "forget": lambda: pond.run(moves.forget(500, 0)),
    }
    met[meets]()
    assert (pond.job(id)["run"], pond.kinds(id)[-1]) == ("2", "requeued")
    assert pond.open() == {id}


def test_each_outcome_is_kept_until_it_is_recorded(pond: Pond, store: Store) -> None:
    (id,) = pond.submit(fields={"max_attempts": 2})
    child = pond.hire()
    for _ in range(2):
        child.end(child.work()[0], "failed", retry_ms=0)
        pond.run(moves.promote())
    pond.run(moves.retry(id))  # before any collector came
    child.end(child.work()[0])
    sight = see(pond, id)
    assert sorted(sight.committed.outcomes) == ["o:1:1", "o:1:2", "o:2:1"]
    record(store, [sight])
    assert pond.run(moves.recorded([sight.committed])) == [1]
    assert not [name for name in pond.job(id) if name.startswith("o:")]
    assert [(one.run, one.attempt, one.status) for one in store.attempts(id)] == [(1, 1, "failed"), (1, 2, "failed"), (2, 1, "finished")]


def history(pond: Pond) -> list[Sight]:
    """What collectors may read of one job, from its acceptance to the end of its second run."""
    (id,) = pond.submit(fields={"max_attempts": 2})
    child = pond.hire()
    seen = [see(pond, id)]
    child.end(child.work()[0], "failed", retry_ms=0)
    seen.append(see(pond, id))
    pond.run(moves.promote())
    child.end(child.work()[0], "failed", retry_ms=0)
    seen.append(see(pond, id))
    pond.run(moves.retry(id))
    seen.append(see(pond, id))
    child.end(child.work()[0])
    return [*seen, see(pond, id)]


def test_all_orders_of_a_job_s_events_over_two_collectors_give_the_same_row(pond: Pond, store: Store) -> None:
    second = open_store(store._engine.url.render_as_string(hide_password=False))
    seen = history(pond)
    last = seen[-1].job
    assert last
    rows: set[str] = set()
    for number, order in enumerate(permutations(range(len(seen)))):
        id = f"{number:032x}"
        for at, which in enumerate(order):
            record((store, second)[at % 2], [renamed(seen[which], id)])
        row = store.get(id)
        assert row
        rows.add(repr(replace(row, id="", recorded_at=None)))
        assert (row.status, row.version, row.run) == ("finished", last.version, 2)
        assert [(one.run, one.attempt) for one in store.attempts(id)] == [(1, 1), (1, 2), (2, 1)]
    second.close()
    assert len(rows) == 1


def renamed(sight: Sight, id: str) -> Sight:
    assert sight.job
    attempts = [replace(one, job_id=id) for one in sight.attempts]
    return replace(sight, committed=replace(sight.committed, id=id), job=replace(sight.job, id=id), attempts=attempts)


def test_within_a_run_an_open_state_is_not_written_over_a_final_one(pond: Pond, store: Store) -> None:
    final = history(pond)[2].job
    assert final
    late = replace(final, status="started", version=final.version + 1)
    store.record([final])
    store.record([late])
    row = store.get(final.id)
    assert row
    assert (row.status, row.version) == ("failed", final.version)


def test_a_refused_row_is_found_and_recorded_as_that(pond: Pond, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = pond.submit(5)
    child = pond.hire()
    for job in child.work():
        child.end(job, body=b'{"result":"poison"}' if job.id == ids[2] else b'{"result":1}')
    write = store.record

    def picky(jobs: list[Job], *more: object) -> None:
        if any(job.result_json == b'"poison"' for job in jobs):
            raise RowRefused
        write(jobs, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "record", picky)
    recorded = record(store, [see(pond, id) for id in ids])
    assert pond.run(moves.recorded([one.committed for one in recorded])) == [1] * 5
    rows = [store.get(id) for id in ids]
    assert [(row.status, row.error_code) for row in rows if row] == [("finished", None)] * 2 + [("failed", "unrecordable_result")] + [
        ("finished", None)
    ] * 2


def test_a_job_made_anew_from_its_record_goes_on_in_its_row(pond: Pond, store: Store) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], "failed")
    before = see(pond, id)
    record(store, [before])
    pond.run(moves.recorded([before.committed], 0))
    pond.run(moves.forget(500, 0))
    assert not pond.job(id)
    row = store.get(id)
    assert row
    again = pond.run(moves.retry(id, 0, to_submission(row), row.version, row.run))
    assert (again.version, pond.job(id)["run"]) == (row.version + 1, "2")
    child.end(child.work()[0])
    record(store, [see(pond, id)])
    assert [(one.run, one.attempt) for one in store.attempts(id)] == [(1, 1), (2, 1)]
    after = store.get(id)
    assert after
    assert (after.status, after.run) == ("finished", 2)
