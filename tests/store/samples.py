"""Jobs and attempts for the store's tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from millpond.attempt import Attempt
from millpond.job import Job, new_id
from millpond.retry import RetryPolicy

BIRTH = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """A moment that many seconds after the samples' birth."""
    return BIRTH + timedelta(seconds=seconds)


def a_job(**fields: Any) -> Job:
    """A queued job with every creation field set."""
    job = Job(
        id=new_id(),
        owner="ann",
        task="resize",
        queue="default",
        status="queued",
        args=["a.png", {"width": 100}],
        kwargs={"quality": 0.5, "name": "ünïcode 🦆"},
        tags={"customer": "42", "kind": 'a "quoted" one'},
        timeout_s=60.0,
        retry=RetryPolicy(max_attempts=3, backoff_s=0.5),
        max_attempts=3,
        rerun="never",
        created_at=BIRTH,
        enqueued_at=BIRTH,
    )
    return replace(job, **fields)


def finished(job: Job, **fields: Any) -> Job:
    """The same job, ended well, three moves later."""
    started = replace(job, attempt=1, worker="w1", started_at=after(1))
    ended = replace(started, status="finished", version=job.version + 3, result_json=b'{"size": 1.50}', ended_at=after(2))
    return replace(ended, **fields)


def failed(job: Job, **fields: Any) -> Job:
    """The same job, ended badly, three moves later."""
    ended = finished(job, status="failed", result_json=None)
    ended = replace(ended, error_code="exception", error_message="no such file", error_traceback="File ...")
    return replace(ended, **fields)


def an_attempt(job: Job, **fields: Any) -> Attempt:
    """A finished attempt of the job's present run."""
    attempt = Attempt(
        job_id=job.id,
        run=job.run,
        attempt=1,
        status="finished",
        result_json=b'{"size": 1.50}',
        worker="w1",
        execution="e1",
        started_at=after(1),
        ended_at=after(2),
    )
    return replace(attempt, **fields)
