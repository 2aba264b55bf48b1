"""Tasks that do what a task should not, for the tests of pools; and those that wait beside them."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Literal

from chores import note  # type: ignore[import-not-found]

from millpond import current_job, task

_kept: list[bytearray] = []


@task(timeout_s=600)
def hold(gate: str) -> int:
    """Wait until a file is there; answer the attempt."""
    while not Path(gate).exists():
        time.sleep(0.05)
    return current_job().attempt


@task
def end(how: Literal["exit", "abort", "segv", "oom"]) -> None:
    """End the process that runs it; `oom`: as the kernel does where memory is out."""
    if how == "exit":
        os._exit(7)
    if how == "abort":
        os.abort()
    if how == "oom":
        os.kill(os.getpid(), signal.SIGKILL)
    ctypes.string_at(0)


@task
def loop_in_c(began: str) -> int:
    """Keep the interpreter inside one C function that hears nothing."""
    Path(began).touch()
    return sum(range(10**15))


@task
def hoard(mib: int, keep: bool = False) -> int:
    """Take memory; `keep` it after the job. Answer the process."""
    taken = bytearray(mib << 20)
    taken[::4096] = b"x" * len(taken[::4096])
    if keep:
        _kept.append(taken)
    return os.getpid()


@task
def fork(returns: bool) -> str:
    """Fork; the other process `returns` from this function, as if it were this one, or ends."""
    pid = os.fork()
    if pid == 0:
        if returns:
            return "the other"
        os._exit(0)
    os.waitpid(pid, 0)
    return "this one"


@task
def attentive(file: str) -> bool:
    """Swallow what is raised, and tell whether it should stop."""
    note(file, "begin")
    try:
        while True:
            time.sleep(0.01)
    except BaseException:
        return current_job().should_stop()


@task
def brink(file: str, seconds: float) -> str:
    """Turn until the very end of its time."""
    note(file, "brink")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass
    return "done"


@task
def yields(file: str, seconds: float) -> str:
    """As brink, giving way to others."""
    note(file, "brink")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(0.0005)
    return "done"


@task
def quit_program() -> None:
    """Ask for the end of the program."""
    sys.exit(3)


@task(pool="process")
def apart() -> list[int]:
    """This process and its parent."""
    return [os.getpid(), os.getppid()]


@task(pool="gevent")
def patched() -> bool:
    """Whether this is a patched process."""
    from gevent import monkey

    return bool(monkey.is_module_patched("socket"))


@task(pool="thread")
def plain() -> int:
    """This process."""
    return os.getpid()


@task
def orphan(file: str) -> None:
    """Wait for a program that ends long after this task's time, whatever is raised."""
    program = subprocess.Popen(["sleep", "60"])
    Path(file).write_text(str(program.pid))
    while program.poll() is None:
        with contextlib.suppress(BaseException):
            time.sleep(0.05)
