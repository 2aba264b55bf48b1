"""Tasks that write down what they do, in a file that nobody but them writes: the ledger of the system tests.

A line is ``{job} {attempt} {phase} {pid} {monotonic seconds} {wall seconds}``, appended with one write.
"""

import asyncio
import os
from time import monotonic, sleep, time
from typing import Any

from millpond import current_job, task


def note(ledger: str, phase: str) -> None:
    """Append a line to the ledger."""
    job = current_job()
    line = f"{job.id} {job.attempt} {phase} {os.getpid()} {monotonic():.6f} {time():.6f}\n"
    file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@task(timeout_s=60)
def toil(ledger: str, seconds: float = 0.0) -> dict[str, int]:
    """Work for `seconds`; answers which attempt of which process did it."""
    note(ledger, "begin")
    sleep(seconds)
    note(ledger, "end")
    return {"attempt": current_job().attempt, "pid": os.getpid()}


@task(timeout_s=60, rerun="never")
def toil_once(ledger: str, seconds: float = 0.0) -> dict[str, int]:
    """As `toil`, for what must not be started twice."""
    return toil(ledger, seconds)


@task(timeout_s=60)
async def toil_on_loop(ledger: str, seconds: float = 0.0) -> dict[str, int]:
    """As `toil`, on the worker's loop."""
    note(ledger, "begin")
    await asyncio.sleep(seconds)
    note(ledger, "end")
    return {"attempt": current_job().attempt, "pid": os.getpid()}


@task(timeout_s=60, queue="steady")
def toil_steadily(ledger: str, seconds: float = 0.0) -> dict[str, int]:
    """As `toil`, on a queue of its own."""
    return toil(ledger, seconds)


@task
def refuse(clusters: list[int] | None = None, seconds: float = 0.0) -> None:
    """Fail, whatever is asked."""
    raise RuntimeError("no answer today")


@task(timeout_s=600)
def hold(ledger: str, gate: str) -> int:
    """Work until the file `gate` exists."""
    note(ledger, "begin")
    while not os.path.exists(gate):
        sleep(0.02)
    note(ledger, "end")
    return os.getpid()


@task
def spoil(ledger: str) -> None:
    """Write down that it worked, and fail."""
    toil(ledger)
    raise RuntimeError("spoilt")


@task
def flaky(failures: int = 0) -> int:
    """Fail so many times, then answer the attempt."""
    if current_job().attempt <= failures:
        raise RuntimeError("not yet")
    return current_job().attempt


@task
def echo(value: Any = None) -> Any:
    """Answer the argument."""
    return value
