"""What all pictures share: one drawing as two SVG files, for a light and for a dark page, the same bytes each time.

The background is transparent, text stays text, and the series' colours can be told apart by the colour-blind (they begin with those
of Okabe and Ito, darker for a light page). matplotlib is imported when something is drawn: that takes seconds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH = 8.0  # inches, 768 pixels: what a page of a repository has room for
_LETTERS = 100  # that fit into the width in small type
_TITLE_LETTERS, _LABEL_LETTERS = 64, 36  # of a line; what is longer goes on in the next
_FINE_STEPS, _STEPS = (1, 2, 5), (1,)  # of a logarithmic axis, in each decade
_FINE_SPAN = 500.0
_SMALL = 8.5  # points
_SETTINGS: dict[str, Any] = {
    # Room is kept for the font that comes with matplotlib, a wide one: no reader's font needs more.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "figure.titlesize": 12,
    "figure.titleweight": "bold",
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "millpond",
}
_NO_METADATA = {"Date": None, "Creator": None}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours that read well on a `page`; the page itself is not drawn."""

    name: str
    page: str
    text: str
    quiet: str
    grid: str
    series: tuple[str, ...]

    def colour(self, number: int) -> str:
        """Of a series, from 0; they begin anew when there are no more."""
        return self.series[number % len(self.series)]


THEMES = (
    Theme("light", "#ffffff", "#1f2328", "#59636e", "#d1d9e0", ("#0072b2", "#d55e00", "#008060", "#b0558f", "#7a6a00", "#4d4d4d")),
    Theme("dark", "#0d1117", "#e6edf3", "#9198a1", "#3d444d", ("#56b4e9", "#e69f00", "#2fbf95", "#e08fc0", "#f0e442", "#b8b8b8")),
)

Draw: TypeAlias = Callable[["Axes", Theme], None]


def picture(path: Path, title: str, height: float, draw: Draw) -> None:
    """Write `{path}-light.svg` and `{path}-dark.svg`, so many inches high. Their folder is made."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    path.parent.mkdir(parents=True, exist_ok=True)
    for theme in THEMES:
        settings: Any = _SETTINGS | _colours(theme)
        with rc_context(settings):
            figure = Figure(figsize=(_WIDTH, height), layout="constrained")
            figure.suptitle(fill(title, _TITLE_LETTERS), x=0.01, horizontalalignment="left")
            axes = figure.subplots()
            axes.set_axisbelow(True)
            axes.spines[["top", "right", "left"]].set_visible(False)
            axes.tick_params(which="both", length=0, labelsize=_SMALL)
            draw(axes, theme)
            figure.savefig(path.with_name(f"{path.name}-{theme.name}.svg"), format="svg", transparent=True, metadata=_NO_METADATA)


def _colours(theme: Theme) -> dict[str, str]:
    quiet = dict.fromkeys(("axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor", "legend.labelcolor"), theme.quiet)
    return {"text.color": theme.text, **quiet, **dict.fromkeys(("axes.edgecolor", "grid.color"), theme.grid)}


def said(value: float) -> str:
    """A number as people read it: three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def rows(axes: "Axes", theme: Theme, labels: Sequence[str]) -> None:
    """A row for each label, from the top down."""
    axes.set_yticks(range(len(labels)), [fill(label, _LABEL_LETTERS) for label in labels], color=theme.text)
    axes.set_ylim(len(labels) - 0.5, -0.5)


def measure(axes: "Axes", unit: str, low: float, high: float, *, log: bool, upright: bool = False) -> None:
    """The axis of the values, with its unit, its grid and numbers without powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    one, name = (axes.yaxis, "y") if upright else (axes.xaxis, "x")
    axes.set(**{f"{name}label": unit, f"{name}scale": "log" if log else "linear", f"{name}lim": (low, high)})
    if log:
        one.set_major_locator(LogLocator(subs=_FINE_STEPS if high / low < _FINE_SPAN else _STEPS, numticks=20))
        one.set_minor_locator(NullLocator())
    one.set_major_formatter(FuncFormatter(lambda value, _: said(value)))
    axes.grid(axis="y" if upright else "x", linewidth=0.6)


def note(axes: "Axes", text: str, at: tuple[float, float], *, side: int = 1, colour: str | None = None) -> None:
    """A small text right of a place, or left of it (`side` -1)."""
    align = "left" if side > 0 else "right"
    axes.annotate(text, at, (6 * side, 0), textcoords="offset points", ha=align, va="center", fontsize=_SMALL, color=colour)


def legend(axes: "Axes", names: Sequence[str]) -> None:
    """Which series is which, above the drawing; none for a single one."""
    if len(names) < 2:
        return
    columns = max(1, min(len(names), _LETTERS // (max(map(len, names)) + 6)))
    axes.legend(loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns, frameon=False, fontsize=_SMALL, handlelength=1.4)
