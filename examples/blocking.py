"""The blocking job: it keeps a thread busy and does nothing."""

import time

from millpond import task


@task(timeout_s=600)
def sleep(seconds: float = 1.0, job_id: int | str | None = None) -> int | str | None:
    """Sleep, and answer the caller's own number for the job."""
    time.sleep(seconds)
    return job_id
