"""What the load's own side saw: one NDJSON line for each request, appended by many processes to one file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its answer. `status` 0: no answer within the time; `id` is the job's, where the answer names it.
    `seconds`: from its sending to its answer. `sent_s` and `due_s` count from the burst's beginning; `due_s` None: it was due when it
    was sent."""

    n: int
    key: str
    status: int
    id: str
    sent_at: str  # RFC 3339, UTC
    seconds: float
    error: str
    success: bool
    sent_s: float = 0.0
    due_s: float | None = None

    @property
    def late_s(self) -> float:
        """How long after it was due it was sent."""
        return 0.0 if self.due_s is None else self.sent_s - self.due_s

    @property
    def latency_s(self) -> float:
        """From when it was due to its answer: what waited behind a stalled server counts the stall, too (coordinated omission)."""
        return self.late_s + self.seconds

    @property
    def answered_s(self) -> float:
        """When its answer came, or was not waited for any longer, counted from the burst's beginning."""
        return self.sent_s + self.seconds


class Journal:
    """A file of entries. It is made empty, then appended to; any number of processes may have it open."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def clear(self) -> Self:
        """Begin anew."""
        self.path.write_bytes(b"")
        return self

    @contextmanager
    def writer(self) -> Iterator["Writer"]:
        """Open it to append."""
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            yield Writer(file)
        finally:
            os.close(file)

    def read(self) -> list[Entry]:
        """All entries, in the order in which their answers came."""
        return next(self.follow())

    def follow(self) -> Iterator[list[Entry]]:
        """All entries, and each time it is asked again those that were added; without an end."""
        with self.path.open("rb") as file:
            rest = b""
            while True:
                *lines, rest = (rest + file.read()).split(b"\n")
                yield [Entry(**orjson.loads(line)) for line in lines]


@dataclass(frozen=True, slots=True)
class Writer:
    """An open journal."""

    file: int

    def add(self, entry: Entry) -> None:
        """Append one line; a single write, so that lines of several processes never mix."""
        os.write(self.file, orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE))
