"""The histogram loses nothing that matters: what was counted is there after a merge and after being text, to three digits."""

import math

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.latencies import Latencies

SECONDS = st.lists(st.floats(0, 3600), max_size=50)
PERCENTILES = [1.0, 50.0, 90.0, 99.0, 99.9, 100.0]


@settings(max_examples=40)
@given(SECONDS)
def test_text_gives_back_the_same(seconds: list[float]) -> None:
    latencies = Latencies(seconds)
    again = Latencies.decoded(latencies.encoded())
    assert len(again) == len(seconds)
    assert again.encoded() == latencies.encoded()
    assert again.at_each(PERCENTILES) == pytest.approx(latencies.at_each(PERCENTILES), nan_ok=True)


@settings(max_examples=40)
@given(SECONDS, SECONDS)
def test_a_merge_is_as_if_one_had_counted_all(some: list[float], others: list[float]) -> None:
    both = Latencies.decoded(Latencies(some).encoded())
    both.merge(Latencies(others))
    assert both.encoded() == Latencies(some + others).encoded()
    assert both.worst == pytest.approx(Latencies(some + others).worst, nan_ok=True)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 3600), min_size=1, max_size=50), st.sampled_from(PERCENTILES))
def test_a_percentile_is_a_value_that_was_counted(seconds: list[float], percentile: float) -> None:
    rank = max(1, int(percentile * len(seconds) / 100 + 0.5))
    assert Latencies(seconds).at(percentile) == pytest.approx(sorted(seconds)[rank - 1], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize(("of", "value"), [(50, 50), (90, 90), (99, 99), (100, 100), (1, 1)])
def test_percentiles_of_a_hundred(of: float, value: float) -> None:
    assert Latencies(range(1, 101)).at(of) == pytest.approx(value, rel=1e-3)


def test_none_has_no_percentile() -> None:
    assert len(Latencies()) == 0
    assert all(math.isnan(value) for value in [Latencies().worst, *Latencies().at_each([50, 99])])


def test_what_is_out_of_its_span_counts_as_its_ends() -> None:
    assert Latencies([-1.0]).worst == pytest.approx(1e-6)
    assert Latencies([1e9]).worst == pytest.approx(3600, rel=1e-3)


def test_its_text_is_hdr_s_own() -> None:
    text = Latencies([0.001, 0.002, 0.002]).encoded()
    assert text.startswith("HIST")
    read = HdrHistogram.decode(text)
    assert (read.total_count, read.get_value_at_percentile(50)) == (3, 2000)
    coarse = HdrHistogram(1, 60_000_000, 2)
    coarse.record_value(5000, 7)
    others = Latencies.decoded(coarse.encode().decode())
    assert len(others) == 7
    assert others.at(50) == pytest.approx(0.005, rel=1e-2)


@pytest.mark.parametrize("text", ["", "abc", "é", "aGVsbG8gd29ybGQ=", Latencies([1.0]).encoded()[:-8]])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no histogram"):
        Latencies.decoded(text)
