"""Moments as aware UTC, and their three forms: milliseconds in our hash fields, RFC 3339 over HTTP, RQ's own text."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

# The only two forms that RQ reads (rq 3.0: utils.py `utcparse`); it writes the first, and so do we.
_RQ_FORMATS: Final = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")


def from_ms(ms: int) -> datetime:
    """Milliseconds since 1970 as a moment; raises OverflowError beyond the year 9999."""
    return _EPOCH + ms * _MILLISECOND


def to_ms(moment: datetime) -> int:
    """A moment as whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def rfc3339(moment: datetime | None) -> str | None:
    """UTC with milliseconds and Z: 2026-01-31T12:00:00.000Z."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def to_rq(moment: datetime) -> str:
    """A moment as RQ writes it."""
    return moment.astimezone(UTC).strftime(_RQ_FORMATS[0])


def from_rq(text: str) -> datetime:
    """A moment that RQ wrote; raises ValueError for any other form."""
    for form in _RQ_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(f"{text!r} is not a date of RQ's")
