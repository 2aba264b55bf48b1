"""What other modules here do, in coroutines: each task under the name of the plain one and `_on_loop`."""

import asyncio
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import chores  # type: ignore[import-not-found]
import havoc  # type: ignore[import-not-found]
from chores import note

from millpond import current_job, task


def _blocking(function: Callable[..., Any]) -> None:
    """A task that does the same without giving way."""

    @functools.wraps(function)
    async def blocks(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    task(name=f"{function.__name__}_on_loop")(blocks)


for one in (chores.fail, chores.flood, chores.give, chores.nap, havoc.end, havoc.fork, havoc.hoard, havoc.loop_in_c, havoc.quit_program):
    _blocking(one)


@task(timeout_s=600)
async def hold_on_loop(gate: str) -> int:
    """Wait until a file is there; answer the attempt."""
    while not Path(gate).exists():  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.05)
    return current_job().attempt


@task
async def spin_on_loop(file: str, seconds: float) -> str:
    """Turn for `seconds`, cleaning up when told to end."""
    note(file, "begin")
    try:
        await asyncio.sleep(seconds)
    except BaseException as error:
        note(file, type(error).__name__)
        raise
    note(file, "end")
    return "done"


@task
async def stubborn_on_loop(file: str, seconds: float) -> str:
    """Swallow whatever is raised."""
    note(file, "begin")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            note(file, "swallowed")
    return "done"


@task
async def attentive_on_loop(file: str) -> bool:
    """Swallow what is raised, and tell whether it should stop."""
    note(file, "begin")
    try:
        await asyncio.sleep(60)
    except BaseException:
        return current_job().should_stop()
    return False


@task
async def brink_on_loop(file: str, seconds: float) -> str:
    """Give way until the very end of its time."""
    note(file, "brink")
    until = time.monotonic() + seconds
    while time.monotonic() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.0005)
    return "done"
