"""What was done, kept outside every server: a line for each piece of work, written by whichever process did it.

A line is one `write` to a file that is open to append: it is there however its process ends, and lines never mix (write(2)).
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Done:
    """One piece of work, by its job's number, and when it was done on the machine's monotonic clock, in seconds."""

    n: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """A file of lines; any number of processes may write to it."""

    path: Path

    def add(self, n: int) -> None:
        """Say that the work of job `n` is done."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, b"%d %.6f\n" % (n, time.monotonic()))
        finally:
            os.close(file)

    def read(self) -> list[Done]:
        """All lines so far, in the order in which they were written; none while there is no file."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        return [Done(int(n), float(at)) for n, at in map(str.split, lines)]
