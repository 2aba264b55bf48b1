"""One call of a task's function for one execution, whichever pool carries it out."""

import math
import random
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from millpond import codec
from millpond.errors import Undecodable
from millpond.fields import Fields
from millpond.job import timeout_s
from millpond.moves import Claimed, Held
from millpond.retry import RetryPolicy
from millpond.rq import Adopted
from millpond.task import JobContext, Task
from worker.stop import Stop


class Run:
    """What a pool needs to call the function, and what the loop needs to end it in time. Times are monotonic seconds.

    `stop` and `stopped_at` are written by the loop alone. `handle` is the pool's own, `on_loop` says which. `news`: progress that
    was not told yet. `adopted`: what a stock producer's job asks for. Raises Undecodable for a hash that says nonsense.
    """

    def __init__(self, claimed: Claimed, task: Task, args: list[Any], kwargs: dict[str, Any], adopted: Adopted | None = None) -> None:
        self.claimed, self.task, self.args, self.kwargs, self.adopted = claimed, task, args, kwargs, adopted
        self.key: Held = (claimed.id, claimed.execution)
        fields = Fields(claimed.hash)
        self.timeout_s = timeout_s(claimed.hash) or math.inf
        self.failures = fields.integer("failures")
        self.on_loop = _is_coroutine(task)
        self._owner, self._tags = fields.text("owner"), fields.json("tags")
        self._attempt, self._run = fields.integer("attempt") + 1, fields.integer("run", 1)
        self.began_at = 0.0
        self.deadline = math.inf
        self.stop: Stop | None = None
        self.stopped_at = math.inf
        self.handle: Any = None
        self.news = b""

    @property
    def run_ms(self) -> int:
        """How long it has run; 0 before it begins."""
        return round((time.monotonic() - self.began_at) * 1000) if self.began_at else 0

    def begin(self) -> None:
        """Start its clock: the function is about to be called."""
        self.began_at = time.monotonic()
        self.deadline = self.began_at + self.timeout_s

    @property
    def context(self) -> JobContext:
        """What `current_job` answers inside it."""
        return JobContext(
            id=self.claimed.id,
            task=self.task.name,
            attempt=self._attempt,
            run=self._run,
            owner=self._owner or "public",
            tags=self._tags or {},
            deadline=None if self.deadline == math.inf else self.deadline,
            report=self.report,
            is_canceled=self.is_stopped,
        )

    def report(self, fraction: float | None, message: str) -> None:
        """Keep what the function says of its progress."""
        self.news = codec.render({"fraction": fraction, "message": clean(message)})

    def is_stopped(self) -> bool:
        """Whether it was told to end."""
        return self.stop is not None

    def retry_ms(self, chance: Callable[[], float] = random.random) -> int:
        """Milliseconds before another attempt if this one fails, -1 for none; finish knows whether one is left.

        `chance` answers a number in [0, 1).
        """
        if self.adopted:
            return self.adopted.retry_ms(self.failures + 1)
        try:
            policy = RetryPolicy.from_hash(self.claimed.hash)
        except Undecodable:
            return -1
        return round(policy.delay_s(self.failures + 1, chance()) * 1000)


@cache
def _is_coroutine(task: Task) -> bool:
    return task.is_coroutine  # asked for every job; the answer costs a microsecond


def clean(text: str) -> str:
    """Text that JSON and PostgreSQL can hold: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
