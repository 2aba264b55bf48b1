"""Jobs that do nothing, for all sides."""

from typing import Any

from millpond import task


@task
def noop(payload: Any = None) -> None:
    """Do nothing with `payload`."""


@task
def thumbnail(path: str, width: int, quality: int = 80, crop: bool = False) -> None:
    """Take what a real task takes, so that there is a schema to check; do nothing with it."""
