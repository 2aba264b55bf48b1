"""Each line of an upload is the body of one job: accepted, refused with its faults, or blank."""

import asyncio
from dataclasses import dataclass, field, replace
from typing import Final

from api import orders
from api.batchparts import Part
from api.tasks import Catalogue
from millpond import codec, moves
from millpond.errors import BadInput
from millpond.jsonfaults import Fault
from millpond.moves import Submission

SHOWN_FAULTS: Final = 5  # of one line; an answer tells of a hundred lines
SHOWN_TEXT: Final = 200  # characters of a pointer or a sentence: both can quote the line
_SLICE: Final = 64  # lines in one turn of the loop: refused ones take 50 us each


@dataclass(slots=True)
class Judged:
    """What becomes of a part's lines. `accepted` have the ids of their lines; `problems`: JSON texts by line."""

    accepted: list[Submission] = field(default_factory=list)
    problems: dict[int, bytes] = field(default_factory=dict)

    def after(self, line: int) -> "Judged":
        """The same of the lines after one."""
        accepted = [one for one in self.accepted if moves.line_of(one.id) > line]
        return Judged(accepted, {number: problem for number, problem in self.problems.items() if number > line})


class Judge:
    """Checks lines as POST /v1/jobs checks bodies."""

    def __init__(self, catalogue: Catalogue, line_bytes: int) -> None:
        self._catalogue = catalogue
        self._line_bytes = line_bytes

    async def judge(self, batch: str, part: Part) -> Judged:
        """Raises NoCatalogue or NotDone where it cannot be known which tasks there are."""
        judged = Judged()
        for at in range(0, len(part.lines), _SLICE):
            for number, line in enumerate(part.lines[at : at + _SLICE], part.start + at + 1):
                await self._judge_line(batch, number, line, judged)
            await asyncio.sleep(0)
        return judged

    async def _judge_line(self, batch: str, number: int, line: bytes, judged: Judged) -> None:
        if not line.strip():
            return
        try:
            document = codec.decode(line, self._line_bytes)
            await self._catalogue.learn(orders.named_task(document))
            order = orders.read(document, self._catalogue.find)
        except BadInput as error:
            judged.problems[number] = _problem(number, error)
        else:
            judged.accepted.append(replace(order.submission, id=moves.line_id(batch, number)))


def _problem(number: int, error: BadInput) -> bytes:
    faults = [_short(one) for one in error.faults[:SHOWN_FAULTS]]
    return codec.render({"line": number, "code": error.code, "detail": error.detail[:SHOWN_TEXT], "errors": faults})


def _short(fault: Fault) -> Fault:
    return {name: text[:SHOWN_TEXT] for name, text in fault.items()}
