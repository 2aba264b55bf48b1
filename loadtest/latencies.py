"""Latencies as an HDR histogram: all are counted and none is kept, and each figure is within a thousandth of one that was seen.

Its text is HDR's own, version 2, compressed, base64, in microseconds: HDR's tools for other languages read it, and what several
machines measured can be merged, which percentiles cannot.
"""

import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Self

from hdrh.codec import HdrCookieException, HdrHistogramSettingsException, HdrLengthException
from hdrh.histogram import HdrHistogram

_US = 1_000_000
_SHORTEST_US, _LONGEST_US = 1, 3600 * _US  # what is beyond them counts as them; a wider span takes more memory
_DIGITS = 3
_UNREADABLE = (HdrCookieException, HdrHistogramSettingsException, HdrLengthException, ValueError, zlib.error)


class Latencies:
    """Counts of latencies from 1 us to 1 h."""

    def __init__(self, seconds: Iterable[float] = ()) -> None:
        self._counts = HdrHistogram(_SHORTEST_US, _LONGEST_US, _DIGITS)
        for one in seconds:
            self.add(one)

    def __len__(self) -> int:
        return int(self._counts.total_count)

    def add(self, seconds: float) -> None:
        """Count one more."""
        self._counts.record_value(min(max(round(seconds * _US), _SHORTEST_US), _LONGEST_US))

    def merge(self, other: Self) -> None:
        """Count all of another's, too."""
        self._counts.add(other._counts)

    def at(self, percentile: float) -> float:
        """The seconds that so many percent do not exceed; NaN of none."""
        return self.at_each([percentile])[0]

    def at_each(self, percentiles: Sequence[float]) -> list[float]:
        """The same for several, in one pass."""
        if not len(self):
            return [math.nan for _ in percentiles]
        found = self._counts.get_percentile_to_value_dict(percentiles)
        return [found[percentile] / _US for percentile in percentiles]

    @property
    def worst(self) -> float:
        """The longest, in seconds; NaN of none."""
        return self.at(100)

    def encoded(self) -> str:
        """HDR's text of it."""
        text: bytes = self._counts.encode()
        return text.decode()

    @classmethod
    def decoded(cls, text: str) -> Self:
        """What such a text holds; ValueError if it is none."""
        latencies = cls()
        try:
            latencies._counts.decode_and_add(text)
        except _UNREADABLE as error:
            raise ValueError(f"no histogram: {error}") from error
        return latencies
