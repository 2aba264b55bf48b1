"""Jobs that do nothing, or only block, or only compute, for all sides."""

import time
from typing import Any

from millpond import task


@task
def noop(payload: Any = None) -> None:
    """Do nothing with `payload`."""


@task
def thumbnail(path: str, width: int, quality: int = 80, crop: bool = False) -> None:
    """Take what a real task takes, so that there is a schema to check; do nothing with it."""


@task
def nap(seconds: float, number: int = 0) -> None:
    """Block, as a call to some other machine does."""
    time.sleep(seconds)


@task
def burn(turns: int, number: int = 0) -> int:
    """Keep a core busy; some 50 ns a turn."""
    return sum(turn & 3 for turn in range(turns))
