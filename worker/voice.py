"""What one execution says while it runs: how far it is, and lines for its job's log.

Any thread of the task speaks; the child's loop takes what was said and sends it on (worker/reports.py). A log is cut where it is full,
so neither memory, nor Redis, nor the worker's own log takes more of a flood than that.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Final

from millpond import joblog
from millpond.task import Voice
from worker.call import clean

MAX_TEXT: Final = 8_000  # characters of a line: a traceback; one that is longer goes on with nothing but "..."
SAID: Final = "task"  # the logger under which what a task printed goes to the worker's log

_said = logging.getLogger(SAID)


@dataclass(frozen=True, slots=True)
class LogLimits:
    """What the log of one attempt may hold."""

    lines: int
    bytes: int


@dataclass(frozen=True, slots=True)
class News:
    """What was said since the last time. `progress`: a JSON text, or nothing; `rows`: lines from number `first` on, or nothing."""

    progress: bytes
    first: int
    rows: bytes


class Speaker(Voice):
    """The voice of one execution, which began at `began_at`, monotonic. `told` is called when there are news after there were none, from
    whatever thread speaks.

    Rows pass from the task's threads to the loop without a lock that the loop would wait for: an interrupt may be raised in a task
    at any moment. `lines`, `dropped`: how many were kept, and not.
    """

    # Of the class, until they change: every job has a speaker, and most say nothing.
    lines = dropped = 0
    _taken = _bytes = 0
    _progress = b""
    _unfinished: Mapping[str, str] = MappingProxyType({})
    _has_news = _is_cut = _over = False

    def __init__(self, limits: LogLimits, began_at: float, told: Callable[[], None]) -> None:
        self._limits, self._began_at, self._told = limits, began_at, told
        self._speaking = Lock()
        self._rows: deque[bytes] = deque()

    # -- the task's side --------------------------------------------------------------------------------------------------------

    def progress(self, document: bytes) -> None:
        """Keep the newest word of how far it is."""
        if not self._over:
            self._progress = document
            self._tell()

    def say(self, level: str, text: str) -> None:
        """Add a line, here and to the worker's log."""
        if self.overhear(level, text):
            number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
            _said.log(number, "task_said", extra={"text": text, "by": level})

    def overhear(self, level: str, text: str) -> bool:
        """Add a line that the worker's log has, too; False if there is no room for it."""
        if self._over or self.dropped:
            self.dropped += 1
            return False
        row = joblog.row(self._run_ms(), level, _short(text))
        with self._speaking:
            kept = self._has_room(len(row) + 1)
            if kept:
                self.lines += 1
                self._bytes += len(row) + 1
                self._rows.append(row)
            else:
                self._cut()
        self._tell()
        return kept

    def write(self, stream: str, text: str) -> None:
        """Add what is printed, line by line; of a line that is written over (a progress bar), what is left on it."""
        if self.dropped:
            self.dropped += text.count("\n")
            return
        with self._speaking:
            *lines, rest = (self._unfinished.get(stream, "") + text).split("\n")
            self._unfinished = {**self._unfinished, stream: _visible(rest)[:MAX_TEXT]}
        for line in lines:
            self.say(stream, _visible(line))

    def relay(self, rows: bytes, dropped: int) -> None:
        """Add what a speaker in another process took, cut there already. `dropped`: how many lines it did not keep so far."""
        if self._over:
            return
        said = rows.split(b"\n") if rows else []
        self._rows.extend(said)
        self.lines += len(said)
        self.dropped = dropped
        self._tell()

    # -- the loop's side --------------------------------------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether something was said that was not taken."""
        return bool(self._rows or self._progress)

    def close(self) -> None:
        """The execution ended: what it printed last becomes a line, and whatever a thread of it still says is dropped."""
        if self._over:
            return
        for stream, rest in self._unfinished.items():
            if rest:
                self.overhear(stream, rest)
        self._over = True
        if self._is_cut:
            self._rows.append(joblog.row(self._run_ms(), joblog.CUT, f"{self.dropped} lines are missing."))
        self._told = _nobody  # who hears a run is known to it, and in its turn knows the run: such rings only the garbage collector frees

    def take(self) -> News:
        """All news; the next are told again."""
        self._has_news = False  # before they are taken: what is said meanwhile is either in them or told
        progress, self._progress = self._progress, b""
        rows = [self._rows.popleft() for _ in range(len(self._rows))]
        first = self._taken + 1
        self._taken += len(rows)
        return News(progress, first, b"\n".join(rows))

    def _run_ms(self) -> int:
        return round((time.monotonic() - self._began_at) * 1000)

    def _has_room(self, size: int) -> bool:
        return not self.dropped and self.lines < self._limits.lines and self._bytes + size <= self._limits.bytes

    def _cut(self) -> None:
        if not self._is_cut:
            self._is_cut = True
            most = f"{self._limits.lines} lines or {self._limits.bytes} bytes"
            self._rows.append(joblog.row(self._run_ms(), joblog.CUT, f"The log is full: it holds {most} of an attempt."))
        self.dropped += 1

    def _tell(self) -> None:
        if not self._has_news:
            self._has_news = True
            self._told()


def _nobody() -> None:
    """Hears no more."""


def _short(text: str) -> str:
    return clean(text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "...")


def _visible(line: str) -> str:
    """What a terminal would show of it after carriage returns."""
    return line.rstrip("\r").rpartition("\r")[2]
