"""One transaction for all; what the database refuses is bisected out and recorded without what it refuses."""

from contextlib import closing
from dataclasses import replace

import pytest

from collector.look import Sight
from collector.record import record
from millpond.errors import StoreUnavailable
from millpond.job import Attempt, Job
from millpond.moves import Committed
from millpond.store import Loss, Store, open_store
from tests.processes import free_port
from tests.store.samples import a_job, an_attempt, failed, finished

NUL = "a\0b"


def sight(job: Job, *attempts: Attempt) -> Sight:
    return Sight(Committed(job.id, job.version), job=job, attempts=attempts)


def row(store: Store, job: Job) -> Job:
    found = store.get(job.id)
    assert found
    return replace(found, recorded_at=None)


def test_all_that_is_good_is_recorded_as_it_is(store: Store) -> None:
    jobs = [finished(a_job()) for _ in range(5)]
    seen = [sight(job, an_attempt(job)) for job in jobs]
    assert record(store, seen) == seen
    assert [row(store, job) for job in jobs] == jobs
    assert all(len(store.attempts(job.id)) == 1 for job in jobs)


@pytest.mark.parametrize("at", [0, 3, 6])
def test_a_refused_row_does_not_keep_the_others_out(postgres: Store, at: int) -> None:
    jobs = [finished(a_job()) for _ in range(7)]
    bad = failed(a_job(), error_message=NUL, worker=NUL)
    tries = an_attempt(bad, status="failed", result_json=None, error_message=NUL, execution=NUL)
    seen = [sight(job, an_attempt(job)) for job in jobs]
    seen.insert(at, sight(bad, tries))
    assert [one.committed for one in record(postgres, seen)] == [one.committed for one in seen]
    assert [row(postgres, job) for job in jobs] == jobs
    found = row(postgres, bad)
    assert (found.status, found.error_code, found.error_message, found.version) == ("failed", "unrecordable_result", None, bad.version)
    assert (found.args, found.tags, found.task, found.ended_at) == (bad.args, bad.tags, bad.task, bad.ended_at)
    (attempt,) = postgres.attempts(bad.id)
    assert (attempt.status, attempt.error_code, attempt.error_message) == ("failed", "unrecordable_result", None)


def test_a_result_that_is_refused_makes_the_job_failed(store: Store) -> None:
    job = finished(a_job(), result_json=b'"\xff"')
    record(store, [sight(job, an_attempt(job, result_json=b'"\xff"'))])
    assert row(store, job) == replace(job, status="failed", error_code="unrecordable_result", result_json=None, worker=None)


def test_an_open_job_stays_open_without_what_was_refused(postgres: Store) -> None:
    job = a_job(progress={"message": NUL}, worker=NUL, status="started")
    record(postgres, [sight(job)])
    assert row(postgres, job).status == "started"


def test_refused_arguments_and_tags_go_as_well(postgres: Store) -> None:
    job = finished(a_job(args=[NUL], tags={"a": NUL}, task=NUL))
    record(postgres, [sight(job)])
    found = row(postgres, job)
    assert (found.status, found.error_code, found.task, found.args, found.tags) == ("failed", "unrecordable_result", None, None, {})


def test_an_id_that_is_refused_is_given_up_and_the_rest_goes_on(postgres: Store) -> None:
    bad, good = finished(a_job(id=NUL)), finished(a_job())
    lost = Sight(Committed("b\0", 0), loss=Loss(id="b\0", version=1, listed=True, kind="deleted"))
    assert record(postgres, [sight(bad), lost, sight(good)]) == [sight(good)]
    assert row(postgres, good) == good


def test_a_database_that_is_away_refuses_nothing() -> None:
    good, bad = finished(a_job()), finished(a_job(), result_json=b'"\xff"')
    with closing(open_store(f"postgresql://nobody@127.0.0.1:{free_port()}/none")) as store, pytest.raises(StoreUnavailable):
        record(store, [sight(bad), sight(good)])
