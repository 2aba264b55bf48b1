"""What parent and child tell each other without a system call: monotonic times in memory that both have mapped.

The parent cannot ask a child whose loop hangs, and a child must not ask its parent before each start. Each cell has one writer.
"""

import mmap
import os
import sys
import tempfile
from typing import Final, Self

CELLS: Final = 5
_CONFIRMED, _TICKED, _BUSY_UNTIL, _BUSY, _OLDEST = range(CELLS)


class Shared:
    """The cells. Times are seconds of `time.monotonic`, which all processes of a machine share (CLOCK_MONOTONIC)."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._cells = memoryview(mmap.mmap(fd, CELLS * 8)).cast("d")

    @classmethod
    def make(cls) -> Self:
        """New cells, all 0, in a file without a name."""
        if sys.platform == "linux":
            fd = os.memfd_create("millpond-worker")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
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
    def busy_until(self) -> float:
        """When the last of what the child runs will have timed out; 0: it runs nothing, inf: never. Written by the child."""
        return self._cells[_BUSY_UNTIL]

    @busy_until.setter
    def busy_until(self, at: float) -> None:
        self._cells[_BUSY_UNTIL] = at

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
