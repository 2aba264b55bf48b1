"""Named points at which a test can kill or stop a process exactly there. Nothing happens unless MILLPOND_FAILPOINT names one.

`collector.committed:kill` dies (SIGKILL) when the collector first passes that point; `:pause` stops it (SIGSTOP) until SIGCONT;
`collector.committed:kill:3` means the third passing. For tests alone.
"""

import os
import signal
from dataclasses import dataclass
from typing import Final

from millpond.errors import BadSetting

_SIGNALS: Final = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}


@dataclass(slots=True)
class _Point:
    name: str
    signal: signal.Signals
    left: int


_armed: _Point | None = None


def configure(setting: str) -> None:
    """Arm the point that the setting names; "" arms none. Raises BadSetting."""
    global _armed
    _armed = parse(setting)


def parse(setting: str) -> _Point | None:
    """Read name:action[:count]; raises BadSetting."""
    if not setting:
        return None
    name, _, rest = setting.partition(":")
    action, _, count = rest.partition(":")
    if not name or action not in _SIGNALS or (":" in rest and not (count.isdecimal() and int(count) > 0)):
        raise BadSetting(f"A fail-point is name:kill or name:pause, and :count if not the first time; not {setting!r}.")
    return _Point(name, _SIGNALS[action], int(count or 1))


def hit(name: str) -> None:
    """Pass the point `name`."""
    if _armed is not None and _armed.name == name:
        _armed.left -= 1
        if _armed.left == 0:
            os.kill(os.getpid(), _armed.signal)
