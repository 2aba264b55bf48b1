"""Tasks for the worker's tests: each does one thing that a user's task may do."""

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from millpond import current_job, task


def note(file: str, word: str) -> None:
    """Append a line with one write: job, attempt, pid, word, monotonic seconds."""
    job = current_job()
    line = f"{job.id} {job.attempt} {os.getpid()} {word} {monotonic():.6f}\n"
    fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


@task
def noop() -> None:
    """Nothing."""


@task
def echo(value: Any = None) -> Any:
    """Answer the argument."""
    return value


@task
async def echo_on_loop(value: Any = None) -> Any:
    """As echo, on the loop."""
    return value


@task(timeout_s=600)
def nap(file: str, seconds: float) -> int:
    """Sleep in one C call."""
    note(file, "begin")
    sleep(seconds)
    note(file, "end")
    return os.getpid()


@task
def stay(file: str, gate: str) -> int:
    """Go on until a file is there."""
    note(file, "begin")
    while not Path(gate).exists():
        sleep(0.05)
    return os.getpid()


@task(rerun="never")
def once(file: str, seconds: float) -> int:
    """As nap, for what must not be started twice."""
    return nap(file, seconds)


@task
def spin(file: str, seconds: float) -> str:
    """Turn in Python for `seconds`, cleaning up when told to end."""
    note(file, "begin")
    until = monotonic() + seconds
    try:
        while monotonic() < until:
            sleep(0.01)
    except BaseException as error:
        note(file, type(error).__name__)
        raise
    note(file, "end")
    return "done"


@task
def polite(file: str) -> str:
    """Look whether somebody wants it to end, and return."""
    note(file, "begin")
    while not current_job().should_stop():
        threading.Event().wait(0.02)
    return "gave up"


@task
def stubborn(file: str, seconds: float) -> str:
    """Swallow whatever is raised."""
    note(file, "begin")
    until = monotonic() + seconds
    while monotonic() < until:
        try:
            sleep(0.01)
        except BaseException:
            note(file, "swallowed")
    note(file, "over")
    return "done"


@task
async def doze(file: str, seconds: float) -> str:
    """Sleep on the loop."""
    note(file, "begin")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note(file, "CancelledError")
        raise
    note(file, "end")
    return current_job().id


@task
async def block_loop(file: str, seconds: float) -> None:
    """What a coroutine should not do."""
    note(file, "begin")
    sleep(seconds)  # noqa: ASYNC251


@task
async def orphan_exit() -> None:
    """End the interpreter from an asyncio task that nobody awaits."""

    leaves = asyncio.Event()

    async def leave() -> None:
        leaves.set()
        sys.exit(3)

    asyncio.get_running_loop().create_task(leave())
    await leaves.wait()


@task
def fail() -> None:
    """Raise, with a text that neither JSON nor PostgreSQL can hold."""
    raise ValueError("not \0 today \ud800" + "!" * 10_000)


@task
def flaky(file: str, failures: int) -> int:
    """Fail that many times, then succeed."""
    note(file, "begin")
    attempt = current_job().attempt
    if attempt <= failures:
        raise RuntimeError(f"attempt {attempt}")
    return attempt


@task(max_attempts=3, retry_on=OSError, give_up_on=ConnectionError)
def choosy(file: str, kind: str) -> None:
    """Raise what is tried again, or what is not, or be too late."""
    note(file, "begin")
    while kind == "TimeoutError":
        sleep(0.01)  # hears that its time is over; in a long sleep its next attempt would wait for it
    raise {"OSError": OSError, "ConnectionResetError": ConnectionResetError, "ValueError": ValueError}[kind]


@task
def throw(kind: str) -> None:
    """Raise what would end a program."""
    if kind == "RecursionError":
        throw(kind)
    if kind == "MemoryError":
        raise MemoryError
    if kind == "unprintable":
        raise Unprintable
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "GeneratorExit": GeneratorExit}[kind]("out")


class Unprintable(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        sys.exit(1)


@task
def give(what: str) -> Any:
    """Return what is no result."""
    return {"set": {1}, "nan": float("nan"), "nul": "a\0b", "surrogate": "\ud800", "big": "x" * 2_000_000, "deep": _deep(100)}[what]


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@task
def tell(file: str, seconds: float) -> None:
    """Say how far it is, before and after a sleep."""
    current_job().progress(0.25, "begun \0")
    note(file, "begin")
    sleep(seconds)
    current_job().progress(1)


@task
def litter() -> int:
    """How many objects the garbage collector, and nothing else, has freed in this process."""
    gc.collect()
    return sum(one["collected"] for one in gc.get_stats())


@task
def about() -> dict[str, Any]:
    """What the job knows of itself."""
    job = current_job()
    known = {"id": job.id, "attempt": job.attempt, "run": job.run, "owner": job.owner}
    return {**known, "tags": dict(job.tags), "remaining_s": job.remaining_s}


@task
def die(file: str, until_attempt: int = 1_000) -> int:
    """End the process, up to that attempt."""
    note(file, "begin")
    if current_job().attempt <= until_attempt:
        os.kill(os.getpid(), signal.SIGKILL)
    return current_job().attempt


@task
def outlive(file: str) -> int:
    """Start a program that stays, and die."""
    Path(file).write_text("")
    os._exit(7)


@task
def hold_gil(file: str, seconds: float) -> None:
    """Keep every other thread of the process from running."""
    import ctypes

    note(file, "begin")
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
    note(file, "end")


@task
def talk(file: str, seconds: float) -> None:
    """Say a line in each way, sleep, say another, and leave one unfinished."""
    print("printed")
    print("gone\rwrong", file=sys.stderr)
    logging.getLogger("some.library").warning("logged %d", 1)
    current_job().log("said", "error")
    note(file, "begin")
    sleep(seconds)
    print("last", end="")


@task
async def talk_on_loop(seconds: float) -> None:
    """Say who it is, twice."""
    print(current_job().id)
    await asyncio.sleep(seconds)
    logging.getLogger("loop").info(current_job().id)


@task
def flood(lines: int) -> int:
    """Print without end."""
    for number in range(lines):
        print(number, "x" * 20)
    return lines


@task
def chatter(lines: int, seconds: float) -> None:
    """Print a line, sleep, and again."""
    for number in range(lines):
        print(number)
        sleep(seconds)


@task
def say_and_die() -> None:
    """Say a last word."""
    print("my last word")
    sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)
