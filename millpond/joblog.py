"""A job's log: the lines that its attempts said, in the form in which they travel and are kept.

A line is a row, the JSON array ``[ms, level, text]`` with the milliseconds since its attempt began: so that nobody's wall clock is in
it, and the attempt's own start dates it. Lines of an attempt are numbered from 1 by who runs it. A piece, some rows in a row, is the
field ``l:{run}:{attempt}:{first line}`` of the job's hash, beside the attempt's outcome; the record has one text for each attempt.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import orjson

LEVELS: Final = ("debug", "info", "warning", "error", "critical")
STREAMS: Final = ("stdout", "stderr")
CUT: Final = "cut"  # says where a log was cut, and how much is missing

FIELD: Final = "l:"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `level`: one of LEVELS, of STREAMS for what was printed, or CUT. `ms`: since the attempt began."""

    number: int
    ms: int
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of one attempt from number `first` on."""

    run: int
    attempt: int
    first: int
    rows: bytes


def row(ms: int, level: str, text: str) -> bytes:
    """One line as it is kept. The text must be clean (`worker.call.clean`)."""
    return orjson.dumps((ms, level, text))


def field(run: int, attempt: int, first: int) -> str:
    """The hash's field for a piece."""
    return f"{FIELD}{run}:{attempt}:{first}"


def pieces(hash: Mapping[str, bytes]) -> tuple[Piece, ...]:
    """What a job's hash holds of its log, in order. A field that is none of ours is left out."""
    found = [piece for name in hash if name.startswith(FIELD) and (piece := _piece(name, hash[name]))]
    return tuple(sorted(found, key=lambda one: (one.run, one.attempt, one.first)))


def _piece(name: str, rows: bytes) -> Piece | None:
    try:
        run, attempt, first = map(int, name.removeprefix(FIELD).split(":"))
    except ValueError:
        return None
    return Piece(run, attempt, first, rows)


def texts(pieces: Iterable[Piece]) -> dict[tuple[int, int], str]:
    """The text of each attempt (run, attempt), as the record keeps it."""
    by_attempt = groupby(pieces, lambda one: (one.run, one.attempt))
    return {place: b"\n".join(one.rows for one in group).decode(errors="replace") for place, group in by_attempt}


def lines(text: str, after: int = 0) -> Iterator[Line]:
    """The lines of an attempt's text that come after number `after`. What is no row of ours keeps its number, and its text."""
    for number, raw in enumerate(text.split("\n") if text else (), 1):
        if number > after:
            yield _line(number, raw)


def _line(number: int, raw: str) -> Line:
    try:
        ms, level, text = orjson.loads(raw)
        return Line(number, int(ms), str(level), str(text))
    except (ValueError, TypeError):
        return Line(number, 0, CUT, raw)
