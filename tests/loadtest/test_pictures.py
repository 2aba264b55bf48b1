"""Each picture is written for both pages, the same each time, with its words as words; whoever draws none does not pay for it."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.canvas import THEMES, Theme
from loadtest.latencies import Latencies
from loadtest.pictures import bars, lines, percentiles, spans
from tests.processes import ROOT

LABELS = ["Tornado & RQ", "a server whose name is so long that it goes on in a second line", "<Millpond>"]
SERIES: dict[str, list[float | None]] = {"$10 processes": [1.0, None, 3000.0], "$100 processes": [0.0, 12.5, 9999.0]}
CURVES = {"one": [(0.0, 1.0), (1.0, 7.0)], "other": [(0.5, 2.0)]}
LATENCIES = {"fast": Latencies([0.001, 0.002, 0.003]), "slow": Latencies([2.0]), "silent": Latencies()}

Draw = Callable[[Path, str], None]
DRAWN: dict[str, tuple[Draw, list[str]]] = {
    "bars": (partial(bars, labels=LABELS, series=SERIES, unit="jobs/s"), [*SERIES, LABELS[0], LABELS[2], "jobs/s", "12.5", "–", "3,000"]),
    "log-bars": (partial(bars, labels=LABELS, series=SERIES, unit="ms", log=True, top=100.0), [*SERIES, "10", "100", "9,999", "–", "0"]),
    "spans": (
        partial(spans, labels=LABELS, spans=[(1.5, 20.0), None, (3.0, 3.0)], unit="ms", limit=3000),
        ["p50", "p99", "1.5", "–", "3,000 ms"],
    ),
    "lines": (
        partial(lines, series=CURVES, x="seconds", y="answers/s", marks={"killed": 0.5}),
        [*CURVES, "seconds", "answers/s", "killed"],
    ),
    "percentiles": (partial(percentiles, series=LATENCIES), ["fast", "slow", "90", "99", "percentile", "ms", "3"]),
}
EMPTY: dict[str, tuple[Draw, list[str]]] = {
    "no-bars": (partial(bars, labels=["a"], series={"b": [None]}, unit="s", log=True), ["a", "–"]),
    "no-spans": (partial(spans, labels=["a"], spans=[None], unit="s"), ["a", "–"]),
    "no-lines": (partial(lines, series={}, x="s", y="per s"), ["s", "per s"]),
    "no-percentiles": (partial(percentiles, series={}), ["percentile"]),
}


def words(file: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", DRAWN)
def test_both_pages_get_the_picture_with_its_words_and_the_same_again(name: str, tmp_path: Path) -> None:
    draw, expected = DRAWN[name]
    for folder in ("first", "again"):
        draw(tmp_path / folder / name, "A title")
    files = sorted(file.name for file in (tmp_path / "first").iterdir())
    assert files == [f"{name}-dark.svg", f"{name}-light.svg"]
    for file in files:
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
        assert {"A title", *expected} <= set(words(tmp_path / "first" / file))


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_show_is_a_picture_too(name: str, tmp_path: Path) -> None:
    draw, expected = EMPTY[name]
    draw(tmp_path / name, "A title")
    assert {"A title", *expected} <= set(words(tmp_path / f"{name}-dark.svg"))


def test_the_rows_are_in_order_and_long_names_go_on(tmp_path: Path) -> None:
    bars(tmp_path / "bars", "A title", LABELS, SERIES, "jobs/s")
    found = words(tmp_path / "bars-light.svg")
    start = found.index(LABELS[0])
    assert " ".join(found[start : start + 4]) == " ".join(LABELS)


def brightness(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, brighter = sorted([brightness(one), brightness(other)])
    return (brighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_colours_stand_out_from_the_page(theme: Theme) -> None:
    assert min(contrast(colour, theme.page) for colour in (theme.text, theme.quiet)) >= 4.5
    assert min(contrast(colour, theme.page) for colour in theme.series) >= 3
    assert contrast(theme.grid, theme.page) > 1.2


def test_what_draws_nothing_does_not_wait_for_the_library_that_draws() -> None:
    code = "import sys, loadtest.cli; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
