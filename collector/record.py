"""One transaction for all sights of a view; where the database refuses a value, the rest is recorded and that row stripped of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from collector.look import Sight
from millpond import logs, metrics
from millpond.errors import RowRefused
from millpond.job import Attempt, Job
from millpond.states import State
from millpond.store import Store

log = logs.get("collector.record")

CODE: Final = RowRefused.code


def record(store: Store, sights: Sequence[Sight]) -> list[Sight]:
    """Commit the sights; answers those that are now in the record. Raises StoreUnavailable.

    A batch that the database refuses is halved until the refused row is alone; that one is recorded as `unrecordable_result`.
    """
    try:
        with metrics.RECORD_SECONDS.time():
            _commit(store, sights)
        return list(sights)
    except RowRefused as refusal:
        if len(sights) == 1:
            return _record_refused(store, sights[0], refusal)
    metrics.REFUSED_BATCHES.inc()
    half = len(sights) // 2
    return record(store, sights[:half]) + record(store, sights[half:])


def _commit(store: Store, sights: Sequence[Sight]) -> None:
    jobs = [one.job for one in sights if one.job]
    attempts = [attempt for one in sights for attempt in one.attempts]
    store.record(jobs, attempts, [one.loss for one in sights if one.loss])


def _record_refused(store: Store, sight: Sight, refusal: RowRefused) -> list[Sight]:
    id = sight.committed.id
    metrics.RECORD_ERRORS.labels(CODE).inc()
    log.warning("row_refused", job_id=id, detail=refusal.detail)
    for lesser in _lesser(sight):
        try:
            _commit(store, [lesser])
            return [lesser]
        except RowRefused as again:
            refusal = again
    # Not even the bare row, so the id itself is at fault. It stays in the open set: reconcile will send its event again.
    log.error("row_unrecordable", job_id=id, detail=refusal.detail)
    return []


def _lesser(sight: Sight) -> Iterator[Sight]:
    """The same row, first without what its executions left, then without all else that people wrote."""
    if sight.job:
        job, attempts = _without_results(sight.job), [_without_result(one) for one in sight.attempts]
        yield replace(sight, job=job, attempts=attempts)
        bare = replace(job, task=None, queue=None, args=None, kwargs=None, tags={}, reason=None)
        yield replace(sight, job=bare, attempts=attempts)


def _without_results(job: Job) -> Job:
    job = replace(job, worker=None, progress=None)
    if not job.final:
        return job  # it goes on: only what has ended can have failed
    blank = replace(job, error_message=None, error_traceback=None, result_json=None)
    return replace(blank, status=State.FAILED, reason=None, error_code=CODE)


def _without_result(attempt: Attempt) -> Attempt:
    blank = replace(attempt, error_message=None, error_traceback=None, result_json=None, worker=None, execution=None, log=None)
    return replace(blank, status=State.FAILED, error_code=CODE)
