"""What parent and child tell each other without a system call: monotonic times in memory that both have mapped.

The parent cannot ask a child whose loop hangs, and a child must not ask its parent before each start. Each cell has one writer.
"""

import mmap
import os
import tempfile
from typing import Final, Self

CELLS: Final = 5
_CONFIRMED, _TICKED, _DUE, _BUSY, _OLDEST = range(CELLS)


class Shared:
    """The cells. Times are seconds of `time.monotonic`, which all processes of a machine share (CLOCK_MONOTONIC)."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._cells = memoryview(mmap.mmap(fd, CELLS * 8)).cast("d")

    @classmethod
    def make(cls) -> Self:
        """New cells, all 0, in a file without a name."""
        fd = nameless_file()
        os.ftruncate(fd, CELLS * 8)
        return cls(fd)

    @property
    def confirmed_at(self) -> float:
        """When the parent SENT the last heartbeat that Redis confirmed. Written by the parent."""
        return self._cells[_CONFIRMED]

    @confirmed_at.setter
    def confirmed_at(self, at: float) -> None:
        self._cells[_CONFIRMED] = at

    @property
    def ticked_at(self) -> float:
        """When the child's loop last came round. Written by the child."""
        return self._cells[_TICKED]

    @ticked_at.setter
    def ticked_at(self, at: float) -> None:
        self._cells[_TICKED] = at

    @property
    def due_at(self) -> float:
        """When the first of what the child runs is over its time; inf: nothing is ever. Written by the child."""
        return self._cells[_DUE]

    @due_at.setter
    def due_at(self, at: float) -> None:
        self._cells[_DUE] = at

    @property
    def busy(self) -> float:
        """How many functions run, as of the last half second. Written by the child."""
        return self._cells[_BUSY]

    @busy.setter
    def busy(self, number: float) -> None:
        self._cells[_BUSY] = number

    @property
    def oldest_at(self) -> float:
        """When the oldest of what the child holds was claimed, as of the last half second; 0: it holds nothing. Written by the child."""
        return self._cells[_OLDEST]

    @oldest_at.setter
    def oldest_at(self, at: float) -> None:
        self._cells[_OLDEST] = at

    def close(self) -> None:
        """Give the file back; the mapping goes with the object."""
        os.close(self.fd)


def nameless_file() -> int:
    """A new file without a name, which a child may inherit."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("millpond-worker")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
