"""How long to wait before trying again what another machine refused or did not answer."""

from threading import Event
from typing import Final

FIRST_S: Final = 0.05


class Patience:
    """Delays that double up to `limit_s` while the trouble lasts; told once when it begins, once when it is over."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._delay_s = 0.0

    def lost(self) -> bool:
        """Count a failure; True if it is the first."""
        first = self._delay_s == 0
        self._delay_s = min(self._limit_s, 2 * self._delay_s or FIRST_S)
        return first

    def wait(self, stop: Event) -> None:
        """Wait before the next try, or until `stop`."""
        stop.wait(self._delay_s)

    def regained(self) -> bool:
        """Count a success; True if it ends a row of failures."""
        over = self._delay_s > 0
        self._delay_s = 0.0
        return over
