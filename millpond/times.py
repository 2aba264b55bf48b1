"""Moments as aware UTC, and their three forms: milliseconds in our hash fields, RFC 3339 over HTTP, RQ's own text."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

# RQ reads dates in this form, with a fraction or without (rq 3.0: utils.py `utcparse`); it writes them with one, and so do we.
_RQ_FORM: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_RQ_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII)


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
    return moment.astimezone(UTC).strftime(_RQ_FORM)


def from_rq(text: str) -> datetime:
    """A moment that RQ wrote; raises ValueError for any other form."""
    if not _RQ_DATE.fullmatch(text):
        raise ValueError(f"{text!r} is not a date of RQ's")
    return datetime.fromisoformat(text)
