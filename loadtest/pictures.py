"""The pictures of the load tests: bars, spans, curves over time, latencies by percentile; each for a light and for a dark page.

`path` has no suffix: `-light.svg` and `-dark.svg` are added. The numbers that a reader looks for stand beside their marks.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from loadtest.canvas import Theme, legend, measure, note, picture, rows, said
from loadtest.latencies import Latencies

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NO_MARKS: Mapping[str, float] = MappingProxyType({})
_MISSING = "–"
_HEAD_AND_FOOT, _ROW, _BAR = 1.1, 0.12, 0.19  # inches; a bar has room for its number
_CURVES = 3.8  # inches
_ROOM = 0.1  # of the axis, for the number at the end of the longest bar
_DASHES = ("-", "--", ":")  # for the colours' first, second and third use
_LEVEL, _LEVELS = 0.07, 3  # of a picture's height, for the names of moments
_POINTS_PER_DECADE = 40


def bars(
    path: Path,
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    unit: str,
    *,
    log: bool = False,
    top: float | None = None,
) -> None:
    """Horizontal bars: a group for each label, from the top down, and in it a bar for each series. None has a dash and no bar. `top`:
    where the axis ends; a longer bar ends there, too."""
    values = [value for of_one in series.values() for value in of_one if value is not None and (value > 0 or not log)]
    low, high = _ends(values, log=log, top=top)

    def draw(axes: "Axes", theme: Theme) -> None:
        measure(axes, unit, low, high * (high / low) ** _ROOM if log else high * (1 + _ROOM), log=log)
        for number, (name, of_one) in enumerate(series.items()):
            thick = 0.84 / len(series)
            places = [row - 0.42 + (number + 0.5) * thick for row in range(len(labels))]
            ends = [min(max(value or 0.0, low), high) for value in of_one]
            axes.barh(places, [end - low for end in ends], thick * 0.88, left=low, color=theme.colour(number), label=name)
            for place, value, end in zip(places, of_one, ends, strict=True):
                note(axes, _MISSING if value is None else said(value), (end, place))
        rows(axes, theme, labels)
        legend(axes, list(series))

    picture(path, title, _HEAD_AND_FOOT + len(labels) * (_ROW + _BAR * len(series)), draw)


def _ends(values: Sequence[float], *, log: bool, top: float | None = None) -> tuple[float, float]:
    """Where the axis begins and where its longest bar ends."""
    high = top or max(values, default=0.0) or 1.0
    return (10 ** math.floor(math.log10(min([*values, high]) * 0.9)) if log else 0.0), high


def spans(
    path: Path,
    title: str,
    labels: Sequence[str],
    spans: Sequence[tuple[float, float] | None],
    unit: str,
    *,
    ends: tuple[str, str] = ("p50", "p99"),
    limit: float | None = None,
) -> None:
    """A line for each label, from the top down, between two values above 0 on a logarithmic axis; `ends` names them. None has a dash.
    `limit`: a dashed line across all."""
    shown = [value for span in spans if span for value in span] + ([limit] if limit else [])
    least, most = min(shown, default=1.0), max(shown, default=10.0)
    room = (10 * most / least) ** _ROOM

    def draw(axes: "Axes", theme: Theme) -> None:
        measure(axes, unit, least / room, most * room, log=True)
        for row, span in enumerate(spans):
            _span(axes, theme, row, span)
        for name, full in zip(ends, (False, True), strict=True):
            axes.plot([], [], "o", color=theme.colour(0), fillstyle="full" if full else "none", label=name)
        if limit:
            axes.axvline(limit, color=theme.colour(1), linestyle="--", linewidth=1.2, label=f"{said(limit)} {unit}")
        rows(axes, theme, labels)
        legend(axes, [*ends, *([unit] if limit else [])])

    picture(path, title, _HEAD_AND_FOOT + len(labels) * (_ROW + _BAR), draw)


def _span(axes: "Axes", theme: Theme, row: int, span: tuple[float, float] | None) -> None:
    if span is None:
        note(axes, _MISSING, (axes.get_xlim()[0], row))
        return
    axes.plot(span, [row, row], color=theme.colour(0), linewidth=2, solid_capstyle="butt", zorder=2)
    for value, side in zip(span, (-1, 1), strict=True):
        inside = theme.page if side < 0 else theme.colour(0)
        axes.plot([value], [row], "o", color=theme.colour(0), markerfacecolor=inside, markersize=6.5, zorder=3)
        note(axes, said(value), (value, row), side=side)


def lines(
    path: Path,
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x: str,
    y: str,
    *,
    marks: Mapping[str, float] = _NO_MARKS,
) -> None:
    """Curves over time, from 0 up; `marks` are moments of it, with what happened then."""
    xs = [at for points in series.values() for at, _ in points] + list(marks.values())
    most = max((value for points in series.values() for _, value in points), default=0.0) or 1.0

    def draw(axes: "Axes", theme: Theme) -> None:
        measure(axes, x, min([0.0, *xs]), max(xs, default=0.0) or 1.0, log=False)
        measure(axes, y, 0.0, most * (1.05 + _LEVEL * min(len(marks), _LEVELS)), log=False, upright=True)
        for number, (name, points) in enumerate(series.items()):
            _curve(axes, theme, number, name, points)
        for number, (name, at) in enumerate(marks.items()):
            _mark(axes, theme, name, at, number)
        legend(axes, list(series))

    picture(path, title, _CURVES, draw)


def _curve(axes: "Axes", theme: Theme, number: int, name: str, points: Sequence[tuple[float, float]]) -> None:
    dashes = _DASHES[number // len(theme.series) % len(_DASHES)]
    xs, ys = [at for at, _ in points], [value for _, value in points]
    axes.plot(xs, ys, dashes, color=theme.colour(number), linewidth=1.8, label=name, clip_on=False)


def _mark(axes: "Axes", theme: Theme, name: str, at: float, number: int) -> None:
    """A line and beside its end its name, above the curves and each on another level than its neighbours'."""
    (left, right), level = axes.get_xlim(), 0.97 - _LEVEL * (number % _LEVELS)
    axes.axvline(at, ymax=level, color=theme.quiet, linestyle="--", linewidth=1)
    note(axes, name, (at, axes.get_ylim()[1] * level), side=-1 if at > (left + 2 * right) / 3 else 1)


def percentiles(path: Path, title: str, series: Mapping[str, Latencies]) -> None:
    """Latencies by percentile, in milliseconds; each further nine has the same width. Whoever has none has no curve."""
    curves = {name: _by_percentile(latencies) for name, latencies in series.items() if len(latencies)}
    most_x = max([100.0, *(points[-1][0] for points in curves.values())])
    values = [value for points in curves.values() for _, value in points]
    least, most = min(values, default=1.0), max(values, default=10.0)

    def draw(axes: "Axes", theme: Theme) -> None:
        measure(axes, "percentile", 1.0, most_x * 1.5, log=True)
        measure(axes, "ms", min(least / 1.5, most / 10), most * 1.5, log=True, upright=True)
        nines = range(math.ceil(math.log10(most_x)) + 1)
        axes.set_xticks([10**nine for nine in nines], [f"{100 - 100 / 10**nine:.10g}" for nine in nines])
        axes.set_xlim(1.0, most_x * 1.5)
        for number, (name, points) in enumerate(curves.items()):
            _curve(axes, theme, number, name, points)
            axes.plot(*points[-1], "o", color=theme.colour(number), markersize=4)
            note(axes, said(points[-1][1]), points[-1], colour=theme.colour(number))
        legend(axes, list(curves))

    picture(path, title, _CURVES, draw)


def _by_percentile(latencies: Latencies) -> list[tuple[float, float]]:
    """From 1 in 1 to the slowest of all: 1 / (1 - p), and milliseconds."""
    steps = math.ceil(math.log10(len(latencies)) * _POINTS_PER_DECADE)
    shares = [len(latencies) ** (step / steps) for step in range(steps)]
    found = latencies.at_each([100 - 100 / share for share in shares])
    return [*zip(shares, (seconds * 1000 for seconds in found), strict=True), (float(len(latencies)), latencies.worst * 1000)]
