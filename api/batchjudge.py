"""Each line of an upload is the body of one job: accepted, refused with its faults, or blank."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api import orders
from api.batchparts import Part
from api.tasks import Catalogue
from millpond import codec, moves
from millpond.errors import BadInput
from millpond.jsonfaults import Fault

SHOWN_FAULTS: Final = 5  # of one line; an answer tells of a hundred lines
SHOWN_TEXT: Final = 200  # characters of a pointer or a sentence: both can quote the line
_SLICE: Final = 64  # lines in one turn of the loop: a refused one can take 50 us


@dataclass(slots=True)
class Judged:
    """What becomes of a part's lines: terms and payload of those accepted, the problems of the others as JSON texts; by line."""

    accepted: dict[int, moves.Accepted] = field(default_factory=dict)
    problems: dict[int, bytes] = field(default_factory=dict)

    def between(self, start: int, end: int) -> "Judged":
        """The same of the lines after one up to another."""
        if not (lines := self.accepted.keys() | self.problems.keys()) or (min(lines) > start and max(lines) <= end):
            return self
        accepted = {line: one for line, one in self.accepted.items() if start < line <= end}
        return Judged(accepted, {line: one for line, one in self.problems.items() if start < line <= end})


class Judge:
    """Checks lines as POST /v1/jobs checks bodies."""

    def __init__(self, catalogue: Catalogue, line_bytes: int, line_values: int) -> None:
        self._catalogue = catalogue
        self._limits = line_bytes, line_values

    async def judge(self, part: Part) -> Judged:
        """Raises NoCatalogue or NotDone where it cannot be known which tasks there are."""
        judged = Judged()
        for at in range(0, len(part.lines), _SLICE):
            await self._judge(part.start + at + 1, part.lines[at : at + _SLICE], judged)
            await asyncio.sleep(0)
        return judged

    async def _judge(self, first: int, lines: Sequence[bytes], judged: Judged) -> None:
        find = self._catalogue.find
        documents = codec.decode_many(lines, *self._limits)
        for number, line in enumerate(lines, first):
            document = None
            try:
                if documents is not None:
                    document = documents[number - first]
                elif not line or line.isspace():
                    continue
                else:
                    document = codec.decode(line, *self._limits)
                judged.accepted[number] = orders.read_terms(document, find)
            except BadInput as error:
                await self._look_again(number, document, error, judged)

    async def _look_again(self, number: int, document: Any, error: BadInput, judged: Judged) -> None:
        """A task that is not known yet may be by now."""
        name = orders.named_task(document)
        if name is not None and self._catalogue.find(name) is None:
            await self._catalogue.learn(name)
            try:
                judged.accepted[number] = orders.read_terms(document, self._catalogue.find)
                return
            except BadInput as again:
                error = again
        judged.problems[number] = _problem(number, error)


def _problem(number: int, error: BadInput) -> bytes:
    faults = [_short(one) for one in error.faults[:SHOWN_FAULTS]]
    return codec.render({"line": number, "code": error.code, "detail": error.detail[:SHOWN_TEXT], "errors": faults})


def _short(fault: Fault) -> Fault:
    return {name: text[:SHOWN_TEXT] for name, text in fault.items()}
