"""Tasks as a user writes them: functions in modules of their own, named to the worker by ``MILLPOND_TASKS=examples``.

Nothing here knows about Redis, HTTP or databases: a task takes JSON values and returns one.
"""

from examples import cluster_info, echo, mishaps, naps, primes, words

__all__ = ["cluster_info", "echo", "mishaps", "naps", "primes", "words"]
