"""One call of a task's function for one execution, whichever pool carries it out."""

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from millpond.errors import Undecodable
from millpond.fields import Fields
from millpond.job import timeout_s
from millpond.moves import Claimed, Held
from millpond.retry import RetryPolicy
from millpond.rq import Adopted
from millpond.task import JobContext, Task, Voice
from worker.call import news
from worker.stop import UNWIND_S, Stop
from worker.voice import LogLimits, Speaker


class Run:
    """What a pool needs to call the function, and what the loop needs to end it in time. Times are monotonic seconds.

    `carrier` carries it out, `handle` is that one's own, and so is `unwind_s`: what it gets to end when told, before it is forced. The
    loop alone writes `stop`, `stopped_at`, and `forced`: it did not end when told. `voice`: what it says, from its beginning on.
    `adopted`: what a stock producer's job asks for. Raises Undecodable for a hash that says nonsense.
    """

    def __init__(self, claimed: Claimed, task: Task, args: list[Any], kwargs: dict[str, Any], adopted: Adopted | None = None) -> None:
        self.claimed, self.task, self.args, self.kwargs, self.adopted = claimed, task, args, kwargs, adopted
        self.key: Held = (claimed.id, claimed.execution)
        fields = Fields(claimed.hash)
        self.timeout_s = timeout_s(claimed.hash) or math.inf
        self.failures = fields.integer("failures")
        self.on_loop = _is_coroutine(task)
        self._left_s = claimed.number("left_ms") / 1000 if "left_ms" in claimed.hash else math.inf
        self._owner, self._tags = fields.text("owner"), fields.json("tags")
        self.attempt, self.run = fields.integer("attempt") + 1, fields.integer("run", 1)
        self.began_at = 0.0
        self.deadline = self.expires_at = math.inf
        self.stop: Stop | None = None
        self.stopped_at = math.inf
        self.unwind_s = UNWIND_S
        self.forced = False
        self.carrier: Any = None
        self.handle: Any = None
        self.voice: Speaker | None = None
        self.owed = 0  # of its news, how many parts are on their way to the socket

    @property
    def run_ms(self) -> int:
        """How long it has run; 0 before it begins."""
        return round((time.monotonic() - self.began_at) * 1000) if self.began_at else 0

    @property
    def unsaid(self) -> bool:
        """Whether it said something that is not on the socket yet."""
        return bool(self.owed or (self.voice and self.voice.has_news))

    def listen(self, ears: "Ears") -> None:
        """Hear what it says, now that it has begun."""
        self.voice = Speaker(ears.limits, self.began_at, partial(ears.hear, self))

    def expire(self, claimed_at: float) -> None:
        """Learn when the whole job runs out, if it does."""
        self.expires_at = claimed_at + self._left_s

    def begin(self) -> None:
        """Start its clock: the function is about to be called."""
        self.began_at = time.monotonic()
        self.deadline = min(self.began_at + self.timeout_s, self.expires_at)

    @property
    def overtime(self) -> Stop:
        """Why it ends at its deadline."""
        return Stop.EXPIRED if self.deadline == self.expires_at else Stop.TIMEOUT

    def wait(self) -> None:
        """Stop its clock: it waits for a runner, and begins once more when it has one."""
        self.deadline = math.inf

    @property
    def known(self) -> dict[str, Any]:
        """What `current_job` knows inside it, as JSON can say it."""
        return {
            "id": self.claimed.id,
            "task": self.task.name,
            "attempt": self.attempt,
            "run": self.run,
            "owner": self._owner or "public",
            "tags": self._tags or {},
            "deadline": None if self.deadline == math.inf else self.deadline,
        }

    @property
    def context(self) -> JobContext:
        """What `current_job` answers inside it, in this process."""
        return JobContext(**self.known, report=self.report, voice=self.voice or Voice(), is_stopped=self.is_stopped)

    def report(self, fraction: float | None, message: str) -> None:
        """Keep what the function says of its progress."""
        if self.voice:
            self.voice.progress(news(fraction, message))

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


@dataclass(frozen=True, slots=True)
class Ears:
    """Who listens to what runs: `hear` is called by whatever thread speaks first after its run's last news were taken."""

    limits: LogLimits
    hear: Callable[[Run], None]


@cache
def _is_coroutine(task: Task) -> bool:
    return task.is_coroutine  # asked for every job; the answer costs a microsecond
