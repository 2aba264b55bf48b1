"""Tasks as a user writes them: functions in modules of their own, named to the worker by ``MILLPOND_TASKS=examples``.

Nothing here knows about Redis, HTTP or databases: a task takes JSON values and returns one.
"""

from examples import cluster_info
from examples.blocking import sleep
from examples.coroutine import echo
from examples.cpu import primes
from examples.mishaps import crash, flaky
from examples.text import word_count

__all__ = ["cluster_info", "crash", "echo", "flaky", "primes", "sleep", "word_count"]
