"""The job that does nothing, for both sides."""

from typing import Any

from millpond import task


@task
def noop(payload: Any = None) -> None:
    """Do nothing with `payload`."""
