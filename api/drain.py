"""How fast jobs pass, from the counts that scripts keep by the second for a minute (`scripts/common/base.lua`, `count`)."""

from dataclasses import dataclass
from typing import Any

from api.plain import text

MINUTE_S = 60
_WINDOWS_S = (10, 20, 60)  # the shortest that tells enough: an estimate follows a change within seconds, and slow jobs are seen at all
_ENOUGH = 20


@dataclass(frozen=True, slots=True)
class Drain:
    """Jobs per second: `per_s` in the whole last minute; `now_per_s` of late, without the time before the first of that minute."""

    per_s: float
    now_per_s: float


def drain(counts: Any, now_s: float) -> Drain:
    """Read a hash {second: jobs} as of Redis's time `now_s`."""
    recent = {at: jobs for at, jobs in _read(counts) if 0 <= now_s - at < MINUTE_S}
    return Drain(sum(recent.values()) / MINUTE_S, _of_late(recent, now_s))


def _read(counts: Any) -> list[tuple[int, int]]:
    pairs = counts.items() if isinstance(counts, dict) else ()
    return [(int(text(at)), int(text(jobs))) for at, jobs in pairs if text(at).isdecimal() and text(jobs).isdecimal()]


def _of_late(recent: dict[int, int], now_s: float) -> float:
    for window_s in _WINDOWS_S:
        within = {at: jobs for at, jobs in recent.items() if now_s - at < window_s}
        if sum(within.values()) >= _ENOUGH:
            break
    if not within:
        return 0.0
    first = min(within)
    begun_s = first + 0.5 if first == min(recent) else first  # the very first may have come at any time of its second
    return sum(within.values()) / max(1.0, now_s - begun_s)
