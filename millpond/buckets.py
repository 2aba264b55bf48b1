"""Bounds of histograms that one process fills and another shows, in seconds."""

from bisect import bisect_left
from typing import Final

# From a no-op to what is as long as a time-out by default, and longer.
TIMES: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600)


def nothing() -> list[float]:
    """The sums of a histogram over TIMES in which nothing was observed: the total of all values, then how many fell into each bucket,
    the last without a bound."""
    return [0.0] * (len(TIMES) + 2)


def observe(sums: list[float], seconds: float) -> None:
    """Put one value in."""
    sums[0] += seconds
    sums[1 + bisect_left(TIMES, seconds)] += 1
