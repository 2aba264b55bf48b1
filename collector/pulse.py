"""The health file: fresh only while every loop of the process turns."""

from pathlib import Path
from time import monotonic
from typing import Final

FRESH_S: Final = 5.0  # a loop that did not turn for this long is stuck; the file's reader adds patience of its own


class Pulse:
    """Touches the file when a loop beats, as long as the others have beaten lately. Thread-safe: each loop writes its own entry."""

    def __init__(self, path: str, *loops: str) -> None:
        self._path = Path(path) if path else None
        self._beats = dict.fromkeys(loops, 0.0)

    def beat(self, loop: str) -> None:
        """Say that this loop turns."""
        now = monotonic()
        self._beats[loop] = now
        if self._path and all(now - beat < FRESH_S for beat in self._beats.values()):
            self._path.touch()
