"""Why a running function is told to end, and what it then sees raised inside itself."""

from enum import StrEnum
from typing import Final

UNWIND_S: Final = 1.0  # what a function told to end gets to clean up


class Stop(StrEnum):
    """The reason. All but the last are also the `code` of the outcome."""

    TIMEOUT = "timeout"
    CANCELED = "canceled"
    STOPPED = "stopped"  # RQ's stop command
    EXPIRED = "expired"  # the time is over in which it was to end, all attempts together
    LOST = "lost"  # the job is no longer this execution's: its outcome is wanted by nobody


class Interrupt(BaseException):
    """Not an Exception, so that a task's own ``except Exception`` does not swallow it."""


class TaskTimeout(Interrupt):
    """The attempt's time is over, or the job's."""


class TaskCanceled(Interrupt):
    """Somebody asked for the job to end, or another worker has it now."""


def interrupt_for(stop: Stop) -> type[Interrupt]:
    """What is raised inside the function."""
    return TaskTimeout if stop in (Stop.TIMEOUT, Stop.EXPIRED) else TaskCanceled
