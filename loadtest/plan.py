"""What a burst is to do, as plain data that goes to each of its processes."""

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_RUN_SPAN = 10_000_000  # job numbers of one run; more requests than that are refused


def _first_number() -> int:
    """Where a run's job numbers begin: so far from other runs' that a number names one request for ever."""
    return secrets.randbelow(9_000_000) * _RUN_SPAN + _RUN_SPAN


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`classic`: GET / with a body, as in the article, whose answer to request n is ``{n} {word}``; else POST /v1/jobs for `task` with
    `args`. `per_s`: requests due a second, of all processes together; 0: each process sends again when it was answered."""

    url: str
    requests: int
    processes: int
    timeout_s: float
    classic: bool
    task: str
    args: Sequence[Any]
    journal: Path
    word: str = "add"
    per_s: float = 0.0
    first: int = field(default_factory=_first_number)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        if not 0 < self.requests <= _RUN_SPAN or not 0 < self.processes <= self.requests:
            raise ValueError(f"a burst has 1 to {_RUN_SPAN} requests, and 1 to as many processes")
        if not 0 <= self.per_s < math.inf:
            raise ValueError("requests are due so many a second, or 0 for as fast as they are answered")

    @property
    def run(self) -> str:
        """The name of this run: a tag of its jobs."""
        return str(self.first)

    def share(self, process: int) -> range:
        """The numbers of the jobs that one of the processes submits."""
        return range(self.first + process, self.first + self.requests, self.processes)

    def due_s(self, n: int) -> float | None:
        """When a job's request is due, in seconds after the burst began; None: when the one before it was answered."""
        return (n - self.first) / self.per_s if self.per_s else None
