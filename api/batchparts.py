"""The lines of an upload: cut from its bytes, numbered, and digested as they come."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final, Self

DIGEST_BYTES: Final = 16

Digest = Any  # hashlib's object, which has no public type


def fresh() -> Digest:
    """The digest of no lines."""
    return blake2b(digest_size=DIGEST_BYTES)


class Splitter:
    """Cuts bytes into lines. Holds at most one line that has not ended, and stops at one that is longer than `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self.overlong = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that end in this chunk, without their ends. After the first that is too long, none."""
        *whole, tail = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join([*self._pieces, whole[0]])
            self._pieces, self._size = [], 0
        self._pieces.append(tail)
        self._size += len(tail)
        return self._within(whole)

    def _within(self, lines: list[bytes]) -> list[bytes]:
        if max(map(len, lines), default=0) > self._limit:
            lines = lines[: next(at for at, line in enumerate(lines) if len(line) > self._limit)]
            self.overlong = True
        elif self._size > self._limit:
            self.overlong = True
        if self.overlong:
            self._pieces, self._size = [], 0
        return lines

    def rest(self) -> list[bytes]:
        """The last line, where no end follows it."""
        line, self._pieces, self._size = b"".join(self._pieces), [], 0
        return [line] if line else []


class Part:
    """Consecutive lines: those after line `start` up to line `end`. What was before them is known by its digest alone."""

    __slots__ = ("_after", "_before", "lines", "start")

    def __init__(self, start: int, lines: Sequence[bytes], before: Digest) -> None:
        self.start = start
        self.lines = lines
        self._before = before
        self._after: Digest | None = None

    @property
    def end(self) -> int:
        """The number of the last line."""
        return self.start + len(self.lines)

    def digest(self) -> Digest:
        """The digest of all lines up to the last of these."""
        if self._after is None:
            self._after = self.digest_to(self.end)
        return self._after

    def digest_to(self, line: int) -> Digest:
        """The digest of all lines up to one of these (or up to `start`)."""
        digest = self._before.copy()
        if line > self.start:
            digest.update(b"\n".join([*self.lines[: line - self.start], b""]))
        return digest

    def until(self, line: int) -> Self:
        """The lines up to one of these."""
        return type(self)(self.start, self.lines[: line - self.start], self._before)

    def after(self, line: int) -> Self:
        """The lines that come after one of these."""
        return type(self)(line, self.lines[line - self.start :], self.digest_to(line))
