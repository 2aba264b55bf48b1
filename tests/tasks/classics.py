"""Tasks for the articles' calls where the examples' own would take too long, or not fail."""

from time import sleep

from millpond import task


@task
def nap(seconds: float = 0.0, job_id: int | None = None) -> int | None:
    """As the example `sleep`, twenty times as fast."""
    sleep(seconds / 20)
    return job_id


@task
def fail(seconds: float = 0.0) -> None:
    """Fail, whatever is asked."""
    raise RuntimeError("no answer today")
