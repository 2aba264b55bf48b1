"""What goes wrong in real life: a job that fails and is tried again, and one that takes its process with it."""

import os
import signal
from typing import Literal

from millpond import current_job, task


class Unlucky(Exception):
    """What `flaky` raises while it fails."""


@task(max_attempts=3, backoff_s=0.2, jitter=0)
def flaky(failures: int = 2) -> str:
    """Fail at the first `failures` attempts, then succeed; what it is tried again for is only that it says so."""
    attempt = current_job().attempt
    if attempt <= failures:
        raise Unlucky(f"attempt {attempt} of {failures} that fail")
    return f"succeeded at attempt {attempt}"


@task
def crash(how: Literal["exit", "segfault", "abort"] = "exit") -> None:
    """End the whole process that runs it, as a fault in a C extension or the kernel's memory killer does."""
    if how == "exit":
        os._exit(70)  # EX_SOFTWARE
    os.kill(os.getpid(), signal.SIGSEGV if how == "segfault" else signal.SIGABRT)
