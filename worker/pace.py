"""How many jobs end in a second, of late."""

import time
from typing import Final

_WINDOW_S: Final = 0.05


class Pace:
    """Counts, and measures when it is asked after a window: where nothing ended in it, nothing is expected to."""

    def __init__(self) -> None:
        self._ended = 0
        self._since = time.monotonic()
        self._per_s = 0.0

    def count(self) -> None:
        """One more ended."""
        self._ended += 1

    def per_s(self, now: float) -> float:
        """Ends a second."""
        seconds = now - self._since
        if seconds >= _WINDOW_S:
            self._per_s = self._ended / seconds
            self._ended, self._since = 0, now
        return self._per_s
