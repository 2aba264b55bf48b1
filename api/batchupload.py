"""One upload of a batch: from bytes to accepted lines, one part after the other.

    bytes -> lines -> part -> (verify what was accepted before) -> judge -> append

While Redis accepts one part, the next is read and judged; nothing is read beyond that, so that memory is flat and the client feels
how fast Redis is. The counter in Redis alone says what was accepted: it may have been moved by an earlier upload with the same
key, by one that runs beside this one, or by an append of ours whose answer was lost. In each case the lines that it covers are
verified by its digest and skipped.
"""

import asyncio
from itertools import islice
from typing import Final

from api.batchjudge import Judge, Judged
from api.batchledger import Ledger
from api.batchparts import Part, Splitter, fresh
from millpond import metrics, moves
from millpond.errors import Conflict, Invalid, NotFound, TooLarge, Unavailable

PART_LINES: Final = 1000  # in one append: about 12 ms of Redis; more would be felt by every worker
PART_BYTES: Final = 1 << 20
SHOWN_PROBLEMS: Final = 100  # as many as a batch keeps (scripts/append.lua)


class Upload:
    """Accepts the lines of one request's body. `counter`: what Redis last said."""

    def __init__(self, ledger: Ledger, judge: Judge, begun: moves.Begun, line_bytes: int) -> None:
        self.id = begun.id
        self.counter = begun.counter
        self.replayed = begun.counter.complete
        self._ledger = ledger
        self._judge = judge
        self._line_bytes = line_bytes
        self._splitter = Splitter(line_bytes)
        self._lines: list[bytes] = []
        self._size = 0
        self._read = 0
        self._digest = fresh()
        self._flight: asyncio.Task[None] | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take more of the body. Returns when there is room for more; raises what ended an append, or TooLarge for a line."""
        lines = self._splitter.feed(chunk)
        self._lines += lines
        self._size += sum(map(len, lines))
        while len(self._lines) >= PART_LINES or self._size >= PART_BYTES:
            await self._take()
        if self._splitter.overlong:
            await self.flush()
            line = self._read + 1
            raise TooLarge(f"Line {line} is longer than {self._line_bytes} bytes.", line=line, limit=self._line_bytes)

    async def flush(self) -> None:
        """Have all whole lines accepted."""
        while self._lines:
            await self._take()
        await self._landed()

    async def finish(self) -> None:
        """The body came to its end: have the rest accepted, and the batch is complete. Raises as `feed`, or Invalid for a body that
        is not the one that came with this key before."""
        self._lines += self._splitter.rest()
        while len(self._lines) > PART_LINES:
            await self._take()
        await self._take(last=True)
        await self._landed()
        if self.counter.lines != self._read:
            raise _another_body()

    async def leave(self) -> None:
        """Let an append that is under way come to its end."""
        if self._flight:
            await asyncio.wait([self._flight])

    async def _take(self, last: bool = False) -> None:
        part = Part(self._read, self._lines[:PART_LINES], self._digest)
        self._lines = self._lines[PART_LINES:]
        self._size = sum(map(len, self._lines))
        self._read, self._digest = part.end, part.digest()
        if part.end < self.counter.lines:
            await asyncio.sleep(0)  # a long way to skip must not hold up others
            return
        part = self._unaccepted(part)
        judged = await self._judge.judge(part)
        await self._landed()
        self._flight = asyncio.get_running_loop().create_task(self._accept(part, judged, last))

    async def _landed(self) -> None:
        """Wait for the append that is under way."""
        if self._flight:
            flight, self._flight = self._flight, None
            await flight

    async def _accept(self, part: Part, judged: Judged, last: bool) -> None:
        while True:
            part = self._unaccepted(part)
            judged = judged.between(part.start, part.end)
            done = not part.lines and (self.counter.complete or not last)
            if done or self.counter.lines > part.end:
                return
            if self.counter.complete:
                raise _another_body()
            appended = await self._ledger.append(self.id, _lines(part, judged, last))
            if appended.answer == "refused":
                await self._accept_before(appended, part, judged)
                continue
            _refuse(appended)
            if appended.answer == "ok":
                metrics.BATCH_LINES.labels("accepted").inc(len(judged.accepted))
                metrics.BATCH_LINES.labels("rejected").inc(len(judged.problems))
            self.counter = appended.counter

    async def _accept_before(self, refused: moves.Appended, part: Part, judged: Judged) -> None:
        """Fill what room is left below a limit. Raises Throttled where there is none."""
        fitting = refused.line - 1
        if fitting <= part.start:
            raise await self._ledger.refusal(refused)
        await self._accept(part.until(fitting), judged.between(part.start, fitting), last=False)

    def _unaccepted(self, part: Part) -> Part:
        """A part without the lines that the counter covers, which must be the same as ours; it may cover more than the part."""
        lines = self.counter.lines
        if not part.start <= lines <= part.end:
            return part
        if lines and part.digest_to(lines).digest() != self.counter.digest:
            raise _another_body()
        return part.after(lines)


def _lines(part: Part, judged: Judged, last: bool) -> moves.Lines:
    return moves.Lines(
        start=part.start,
        end=part.end,
        digest=part.digest().digest(),
        accepted=judged.accepted,
        rejected=len(judged.problems),
        problems=dict(islice(judged.problems.items(), SHOWN_PROBLEMS)),
        complete=last,
    )


def _another_body() -> Invalid:
    return Invalid("This Idempotency-Key came with another body before.", code="idempotency_key_reused")


def _refuse(appended: moves.Appended) -> None:
    match appended.answer:
        case "canceled":
            raise Conflict("The batch was canceled: it takes no more lines.", state="canceled")
        case "gone":
            raise NotFound("The batch is not there any more.")
        case "error":
            raise Unavailable(f"Redis holds something else under {appended.detail}.", code="broken_key")
