"""What goes in comes out; a process that reads sees what another wrote."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from millpond.errors import StoreUnavailable
from millpond.store import Store, open_store
from tests.store.samples import a_job, after, an_attempt, failed, finished


def test_a_job_comes_back_as_it_went_in(store: Store, other: Store) -> None:
    job = failed(
        a_job(run_at=after(10), expires_at=after(20), progress={"fraction": 0.5, "message": "half way"}),
        reason="because",
        failures=2,
        deaths=1,
        crashes=1,
    )
    store.record([job])
    found = other.get(job.id)
    assert found
    assert replace(found, recorded_at=None) == job
    assert found.recorded_at


def test_a_job_of_which_little_is_known_comes_back(store: Store) -> None:
    job = a_job(task=None, queue=None, args=None, kwargs=None, tags={}, timeout_s=None, retry=None, max_attempts=None, enqueued_at=None)
    store.record([job])
    assert store.get(job.id) == job


@pytest.mark.parametrize("result", [b"null", b"0.10", b'{"a": 1.50, "b":\t[]}', b'"\\u0000"', b"1e400", '"🦆"'.encode()])
def test_a_result_is_kept_to_the_byte(store: Store, result: bytes) -> None:
    job = finished(a_job(), result_json=result)
    store.record([job], [an_attempt(job, result_json=result)])
    found = store.get(job.id)
    assert found
    assert found.result_json == result
    assert store.attempts(job.id)[0].result_json == result


def test_no_result_is_not_the_result_null(store: Store) -> None:
    job = a_job()
    store.record([job])
    found = store.get(job.id)
    assert found
    assert found.result_json is None


def test_attempts_come_back_in_order_and_once(store: Store) -> None:
    job = a_job()
    tries = [an_attempt(job, run=run, attempt=attempt) for run, attempt in [(2, 1), (1, 2), (1, 10), (1, 1)]]
    store.record([job], tries)
    store.record([job], [replace(tries[0], status="failed")])
    found = store.attempts(job.id)
    assert [(one.run, one.attempt) for one in found] == [(1, 1), (1, 2), (1, 10), (2, 1)]
    assert all(one.recorded_at and one.status == "finished" for one in found)
    assert replace(found[-1], recorded_at=None) == tries[0]


def test_an_unknown_id_has_no_record(store: Store) -> None:
    for id in ("0" * 32, "", "a\0b", "\ud800", "'; drop table jobs; --"):
        assert store.get(id) is None
        assert store.attempts(id) == []


def test_recorded_at_is_the_databases_time_of_the_first_final_state(store: Store, other: Store) -> None:
    job = a_job()
    store.record([job])
    assert store.get(job.id).recorded_at is None  # type: ignore[union-attr]
    before = datetime.now(UTC)
    store.record([finished(job)])
    first = store.get(job.id).recorded_at  # type: ignore[union-attr]
    # Both servers run here; SQLite's clock counts milliseconds.
    assert first
    assert before - timedelta(milliseconds=1) <= first <= datetime.now(UTC)
    other.record([finished(job), finished(job, version=9)])
    assert store.get(job.id).recorded_at == first  # type: ignore[union-attr]
    store.record([replace(job, version=20, run=2)])
    assert store.get(job.id).recorded_at is None  # type: ignore[union-attr]
    store.record([finished(job, version=23, run=2)])
    assert store.get(job.id).recorded_at > first  # type: ignore[union-attr, operator]


def test_prune_deletes_what_was_recorded_long_ago_in_bounded_steps(store: Store) -> None:
    ended = [finished(a_job()) for _ in range(5)]
    waiting = a_job()
    store.record([*ended, waiting], [an_attempt(one) for one in ended])
    assert store.prune(1) == 0
    assert store.prune(0, limit=3) == 3
    assert store.prune(0, limit=3) == 2
    assert store.prune(0, limit=3) == 0
    assert [store.get(one.id) for one in ended] == [None] * 5
    assert [store.attempts(one.id) for one in ended] == [[]] * 5
    assert store.get(waiting.id)


def test_ping_says_that_the_tables_are_missing(database_url: str) -> None:
    with closing(open_store(database_url)) as empty:
        with pytest.raises(StoreUnavailable):
            empty.ping()
        empty.upgrade()
        empty.ping()
