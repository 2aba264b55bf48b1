"""Moments keep their milliseconds in each of their forms."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.utils import utcformat, utcparse

from millpond import times

LAST_MS = times.to_ms(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
MS = st.integers(0, LAST_MS)


@given(MS)
def test_milliseconds(ms: int) -> None:
    assert times.to_ms(times.from_ms(ms)) == ms


@given(MS)
def test_rfc3339(ms: int) -> None:
    text = times.rfc3339(times.from_ms(ms))
    assert text is not None
    assert text.endswith("Z")
    assert len(text) == len("2026-01-31T12:00:00.000Z")
    assert datetime.fromisoformat(text) == times.from_ms(ms)


def test_other_zones_are_shown_as_utc() -> None:
    assert times.rfc3339(datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-31T10:00:00.000Z"
    assert times.rfc3339(None) is None


@given(st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)))
def test_rq_and_we_read_each_other(moment: datetime) -> None:
    assert times.to_rq(moment) == utcformat(moment)
    assert utcparse(times.to_rq(moment)) == times.from_rq(utcformat(moment)) == moment


def test_rqs_older_form_is_read_and_no_other() -> None:
    assert times.from_rq("2026-01-31T12:00:00Z") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    for text in ("", "1767182400", "2026-01-31T12:00:00+00:00", "2026-13-01T00:00:00Z"):
        with pytest.raises(ValueError, match=r"not a date|month"):
            times.from_rq(text)


def test_beyond_the_last_year() -> None:
    with pytest.raises(OverflowError):
        times.from_ms(10**18)
