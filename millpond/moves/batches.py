"""Batches: many jobs from one upload, whose lines one counter numbers (ADR 0008).

A batch's id is the beginning of its jobs' ids: 48 bits of time, UUIDv8's version, random bits. The last 8 digits of a job's id are
its line's number, so neither says more about the other than the id does, and nothing need be kept to find them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import uuid_utils

from millpond.moves.call import Arg, Call, pairs, text
from millpond.moves.intake import UNLIMITED, Limits, Submission, share, terms_of
from millpond.scripts import load

ID_DIGITS: Final = 24
MAX_LINES: Final = 0xFFFF_FFFF
MAX_SPANNED: Final = 10_000  # lines that one event may tell of: several times what an append has


def new_batch_id() -> str:
    """24 hex digits that sort by time among the ids of jobs; 42 of their bits are random."""
    hex = uuid_utils.uuid7().hex
    return f"{hex[:12]}8{hex[13:ID_DIGITS]}"


def line_id(batch: str, line: int) -> str:
    """The id of the job that a line became. Lines count from 1."""
    return f"{batch}{line:08x}"


def line_of(job_id: str) -> int:
    """The line of a job's id."""
    return int(job_id[ID_DIGITS:], 16)


@dataclass(frozen=True, slots=True)
class Counter:
    """How far a batch is: lines consumed, of which some became jobs and some were refused (blank ones neither); the digest of the
    bytes of all of them; whether the upload came to its end; whether the batch was canceled and takes no more."""

    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    digest: bytes = b""
    complete: bool = False
    canceled: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """`answer`: begun | known (by its key) | taken (draw another id) | error (detail: the broken key)."""

    answer: Literal["begun", "known", "taken", "error"]
    id: str
    counter: Counter
    detail: str = ""


def begin(id: str, digest: bytes, idempotency_h: int, keep_s: int) -> Call[Begun]:
    """A counter for a batch, new or, by the digest of its Idempotency-Key (empty: none), of the earlier upload. `keep_s`: how long it
    is kept from when nothing of it is open; 0: for ever."""
    return Call(load("begin"), [id, digest.hex(), idempotency_h * 3600, keep_s], _begun)


def _begun(raw: Any) -> Begun:
    answer, found = text(raw[0]), text(raw[1])
    if answer == "error":
        return Begun("error", "", Counter(), found)
    return Begun(answer, found, _counter(raw[2]) if len(raw) > 2 else Counter())  # type: ignore[arg-type]


def _counter(raw: Sequence[bytes]) -> Counter:
    lines, accepted, rejected, digest, complete, canceled = raw
    return Counter(int(lines), int(accepted), int(rejected), digest, complete == b"1", canceled == b"1")


Accepted = tuple[Submission, bytes]
"""A line's terms, in a submission whose id and payload mean nothing, and its payload."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The next lines of a batch: those after `start` up to `end`, with the digest of all lines up to there. `accepted` and `problems`
    (JSON texts; the first of the refused ones) are by line, ascending."""

    start: int
    end: int
    digest: bytes
    accepted: Mapping[int, Accepted] = field(default_factory=dict)
    rejected: int = 0
    problems: Mapping[int, bytes] = field(default_factory=dict)
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Appended:
    """`answer`: ok | moved (the counter stands elsewhere: nothing was done) | refused (detail: the limit's name; `line`: the first that
    does not fit, of `owner` in `queue`; nothing was done) | canceled | gone | error (detail: the broken key)."""

    answer: Literal["ok", "moved", "refused", "canceled", "gone", "error"]
    counter: Counter
    detail: str = ""
    line: int = 0
    owner: str = ""
    queue: str = ""


def spans(lines: Sequence[int]) -> str:
    """Ascending line numbers as text: ``1-300,302-500``."""
    if not lines:
        return ""
    breaks = [] if lines[-1] - lines[0] + 1 == len(lines) else [at for at in range(1, len(lines)) if lines[at] != lines[at - 1] + 1]
    firsts, lasts = [0, *breaks], [*(at - 1 for at in breaks), -1]
    return ",".join(f"{lines[first]}-{lines[last]}" for first, last in zip(firsts, lasts, strict=True))


def lines_of(spans: str) -> list[int]:
    """The reverse of `spans`; raises ValueError for any other text."""
    bounds = [span.split("-") for span in spans.split(",")]
    found = [range(int(first), int(last) + 1) for first, last in bounds]
    if sum(map(len, found)) > MAX_SPANNED:
        raise ValueError("These are more lines than one append takes.")
    return [line for span in found for line in span]


def append(id: str, lines: Lines, limits: Limits = UNLIMITED) -> Call[Appended]:
    """Accept the next lines of a batch, if its counter still is at their start: so it may be sent again when its fate is unknown."""
    args: list[Arg] = [id, lines.start, lines.end, lines.digest, int(lines.complete), *limits.args(), lines.rejected]
    args += (spans(list(lines.accepted)), len(lines.problems), *(arg for pair in lines.problems.items() for arg in pair))
    terms, numbers = share(terms for terms, _ in lines.accepted.values())
    args += (len(terms), *(arg for one in terms for arg in terms_of(one)))
    for (line, (_, data)), number in zip(lines.accepted.items(), numbers, strict=True):
        args += (f"{id}{line:08x}", data, number)  # `line_id`, in half its time
    return Call(load("append"), args, _appended)


def _appended(raw: Any) -> Appended:
    answer, detail, counter, *refused = raw
    line, owner, queue = (line_of(text(refused[0])), text(refused[1]), text(refused[2])) if refused else (0, "", "")
    return Appended(text(answer), _counter(counter) if counter else Counter(), text(detail), line, owner, queue)  # type: ignore[arg-type]


def survey(id: str) -> Call[tuple[dict[str, bytes], int]]:
    """A batch's hash ({}: there is none) and how many of its jobs are started, as of one moment."""
    return Call(load("survey"), [id], lambda raw: (pairs(raw[0]), int(raw[1])))


@dataclass(frozen=True, slots=True)
class CalledOff:
    """`answer`: ok | gone | error. How many jobs were canceled, how many run and were told; `next`: the line to go on with, 0: done."""

    answer: Literal["ok", "gone", "error"]
    canceled: int
    told: int
    next: int


def call_off(id: str, start: int, limit: int = 100) -> Call[CalledOff]:
    """Cancel what is open among the lines from `start` on, at most `limit` jobs and 1,000 lines a call; the batch takes no more."""
    return Call(load("call_off"), [id, start, start + 999, limit], lambda raw: CalledOff(text(raw[0]), *map(int, raw[1:])))  # type: ignore[arg-type]
