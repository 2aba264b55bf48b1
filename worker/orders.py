"""What the parent tells a child at its start, on the child's standard input: not in arguments, where ps would show a password.

So the child reads no settings itself; the library for that costs a third of the time in which a killed child is back at work.
"""

from dataclasses import asdict, dataclass
from typing import Self

import orjson

from millpond.task import Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Who the child is, how it reaches its parent, and what it needs of `millpond.settings.WorkerSettings`.

    `alone`: it serves mp:alone. `parent`: pid. `pipe`, `shared`, `will`: inherited file descriptors. `slots`: jobs at once.
    """

    worker: str
    generation: int
    alone: bool
    parent: int
    pipe: int
    shared: int
    will: int
    redis_url: str
    queues: tuple[str, ...]
    tasks: tuple[str, ...]
    slots: int
    pool: Pool
    runner_jobs: int
    runner_memory_mb: int
    prefetch: int
    max_result_bytes: int
    max_log_lines: int
    max_log_bytes: int
    measured: bool
    log_level: str
    failpoint: str

    def dump(self) -> bytes:
        """As JSON."""
        return orjson.dumps(asdict(self))

    @classmethod
    def load(cls, text: bytes) -> Self:
        """From JSON."""
        found = orjson.loads(text)
        return cls(**{**found, "queues": tuple(found["queues"]), "tasks": tuple(found["tasks"])})
