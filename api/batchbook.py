"""Reading batches: counts, and their lines one page after the other; calling them off."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final

from api.calls import Reads, Writes
from api.plain import Pipe, Plain
from api.records import Records
from millpond import codec, keys, moves
from millpond.errors import NotFound, Unavailable, Undecodable
from millpond.job import Job
from millpond.states import State
from millpond.times import from_ms, rfc3339

LINES_A_PAGE: Final = 500
RESULTS_A_PAGE: Final = 50  # some of them can be a megabyte long

_PROBLEM = re.compile(r"problem:(\d+)")
_STANDING: Final = ("state", "status", "reason", "version")


@dataclass(frozen=True, slots=True)
class Summary:
    """A batch as it is at one moment. `problems`: of the first refused lines, as JSON texts."""

    id: str
    created_ms: int
    lines: int
    accepted: int
    rejected: int
    complete: bool
    canceled: bool
    counts: dict[str, int]
    problems: dict[int, bytes]

    def public(self) -> dict[str, Any]:
        """As HTTP shows it."""
        return {
            "id": self.id,
            "created_at": rfc3339(from_ms(self.created_ms)),
            "complete": self.complete,
            "canceled": self.canceled,
            "lines": self.lines,
            "accepted": self.accepted,
            "rejected": self.rejected,
            "counts": self.counts,
            "problems": [codec.Raw(problem) for problem in self.problems.values()],
        }


class Book:
    """Answers what is asked about batches. Every method raises NotFound, NotDone or StoreUnavailable."""

    def __init__(self, reads: Reads, plain: Plain, records: Records, writes: Writes) -> None:
        self._reads = reads
        self._plain = plain
        self._records = records
        self._writes = writes

    async def summary(self, id: str) -> Summary:
        """A batch's counter, its counts by status, and the first problems."""
        hash, started = await self._reads.run(moves.survey(id))
        if "lines" not in hash:
            raise NotFound(f"There is no batch {id}.")
        return _summary(id, hash, started)

    async def lines(self, batch: Summary, after: int, outcomes: bool) -> AsyncIterator[list[bytes]]:
        """Pages of its lines after one, as JSON texts: how each stands, or, with `outcomes`, what came of those that ended."""
        size = RESULTS_A_PAGE if outcomes else LINES_A_PAGE
        for start in range(after + 1, batch.lines + 1, size):
            numbers = range(start, min(start + size, batch.lines + 1))
            jobs = await self._page(batch.id, numbers, outcomes)
            if outcomes:
                yield [_outcome(line, job) for line, job in jobs.items() if job.final]
            else:
                problems = batch.problems
                yield [_standing(line, jobs.get(line), problems.get(line)) for line in numbers if line in jobs or line in problems]

    async def _page(self, batch: str, numbers: range, outcomes: bool) -> dict[int, Job]:
        """The jobs of these lines. What Redis does not hold as open was recorded before that was asked (`Lookup.get`)."""
        ids = [moves.line_id(batch, line) for line in numbers]
        (marks,) = await self._plain.read(lambda pipe: pipe.smismember(keys.OPEN, ids))
        jobs = await self._open([id for id, mark in zip(ids, marks, strict=True) if mark], outcomes)
        if len(jobs) < len(ids):
            jobs = {row.id: row for row in await self._records.between(ids[0], ids[-1], outcomes)} | jobs
        return {moves.line_of(id): jobs[id] for id in ids if id in jobs}

    async def _open(self, ids: list[str], outcomes: bool) -> dict[str, Job]:
        if not ids:
            return {}

        def ask(pipe: Pipe) -> None:
            for id in ids:
                if outcomes:
                    pipe.hgetall(keys.job(id))
                else:
                    pipe.hmget(keys.job(id), _STANDING)

        found = zip(ids, await self._plain.read(ask), strict=True)
        return {id: job for id, reply in found if (job := _job(id, reply))}

    async def call_off(self, id: str, start: int) -> moves.CalledOff:
        """Cancel what is open of the next lines from `start` on. May be sent again: raises OutcomeUnknown only so that it is."""
        done = await self._writes.run(moves.call_off(id, start))
        if done.answer == "gone":
            raise NotFound(f"There is no batch {id}.")
        if done.answer == "error":
            raise Unavailable("Redis holds something else under this batch's keys.", code="broken_key")
        return done


def _summary(id: str, hash: dict[str, bytes], started: int) -> Summary:
    def number(name: str) -> int:
        return int(hash.get(name, b"0"))

    counts = {state.value: number(state) for state in State}
    counts["started"] = min(started, number("open"))
    counts["queued"] = number("open") - counts["started"]
    problems = {int(match[1]): problem for name, problem in hash.items() if (match := _PROBLEM.fullmatch(name))}
    return Summary(
        id=id,
        created_ms=number("created_ms"),
        lines=number("lines"),
        accepted=number("accepted"),
        rejected=number("rejected"),
        complete=bool(number("complete")),
        canceled=bool(number("called_off")),
        counts=counts,
        problems=dict(sorted(problems.items())),
    )


def _job(id: str, reply: Any) -> Job | None:
    """A job of Redis's reply; None for what nobody can read: its record will tell."""
    if isinstance(reply, list):
        reply = {name.encode(): value for name, value in zip(_STANDING, reply, strict=True) if value is not None}
    if not isinstance(reply, dict) or not reply:
        return None
    try:
        return Job.from_hash(id, {name.decode(): value for name, value in reply.items()})
    except (Undecodable, UnicodeDecodeError):
        return None


def _standing(line: int, job: Job | None, problem: bytes | None) -> bytes:
    if job is None:
        return codec.render({"line": line, "id": None, "status": "rejected", "problem": codec.Raw(problem or b"null")})
    return codec.render({"line": line, "id": job.id, "status": job.status, "reason": job.reason})


def _outcome(line: int, job: Job) -> bytes:
    error = {"code": job.error_code, "message": job.error_message, "traceback": job.error_traceback}
    return codec.render(
        {
            "line": line,
            "id": job.id,
            "status": job.status,
            "reason": job.reason,
            "result": None if job.result_json is None else codec.Raw(job.result_json),
            "error": None if job.error_code is None else error,
        }
    )
