"""Jobs whose hash is gone from Redis, or cannot be read."""

from dataclasses import replace
from typing import Literal

import pytest

from millpond.store import Loss, Store
from tests.store.samples import a_job, an_attempt, failed, finished

Kind = Literal["deleted", "corrupt_job"]


def lost(id: str, version: int = 0, *, listed: bool = True, kind: Kind = "deleted") -> Loss:
    return Loss(id=id, version=version, listed=listed, kind=kind)


def test_an_open_row_ends_as_canceled(store: Store) -> None:
    job = a_job(version=4, worker="w1")
    store.record([job])
    store.record([], losses=[lost(job.id)])
    found = store.get(job.id)
    assert found
    assert found.recorded_at
    assert found.ended_at
    assert replace(found, recorded_at=None, ended_at=None) == replace(job, status="canceled", reason="deleted", version=5, worker=None)


def test_an_unreadable_job_ends_as_failed(store: Store) -> None:
    job = a_job()
    store.record([job], losses=[lost(job.id, 7, kind="corrupt_job")])
    found = store.get(job.id)
    assert found
    assert (found.status, found.reason, found.error_code, found.version) == ("failed", None, "corrupt_job", 8)


def test_a_listed_job_without_a_row_gets_one(store: Store) -> None:
    store.record([], losses=[lost("a", 3), lost("b", 0, kind="corrupt_job")])
    first, second = store.get("a"), store.get("b")
    assert first
    assert second
    assert (first.status, first.version, first.task) == ("canceled", 4, None)
    assert (second.status, second.version) == ("failed", 1)
    assert first.created_at == first.ended_at == first.recorded_at or first.created_at


def test_an_unlisted_job_without_a_row_was_pruned_and_stays_so(store: Store) -> None:
    store.record([], losses=[lost("a", 3, listed=False)])
    assert store.get("a") is None


@pytest.mark.parametrize("listed", [True, False])
def test_a_final_row_of_that_version_stays(store: Store, listed: bool) -> None:
    job = finished(a_job())
    store.record([job], [an_attempt(job)])
    for version in (0, job.version - 1, job.version):
        store.record([], losses=[lost(job.id, version, listed=listed)])
    found = store.get(job.id)
    assert found
    assert replace(found, recorded_at=None) == job


def test_a_later_run_that_only_an_event_told_of_ends_as_canceled(store: Store) -> None:
    job = failed(a_job())
    store.record([job])
    for _ in range(2):
        store.record([], losses=[lost(job.id, job.version + 2, listed=False)])
    found = store.get(job.id)
    assert found
    assert (found.status, found.reason, found.error_code, found.run, found.version) == ("canceled", "deleted", None, 2, job.version + 3)


def test_a_late_snapshot_tells_whose_the_lost_job_was(store: Store) -> None:
    job = a_job()
    store.record([], losses=[lost(job.id, 1)])
    store.record([job])
    found = store.get(job.id)
    assert found
    assert (found.owner, found.task, found.args, found.status) == (job.owner, job.task, job.args, "canceled")


def test_the_outcome_of_a_lost_job_is_not_lost(store: Store) -> None:
    job = a_job()
    store.record([], losses=[lost(job.id, 1)])
    store.record([finished(job)])
    found = store.get(job.id)
    assert found
    assert (found.status, found.result_json) == ("finished", finished(job).result_json)
