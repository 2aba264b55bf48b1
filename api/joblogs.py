"""GET /v1/jobs/{id}/logs: what a job said, in pages, while it runs and after."""

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar, Final

from api import etags
from api.described import READS, Answer, Call, Parameter, Schema, ref
from api.etags import ETAG, IF_NONE_MATCH
from api.jobs import JobHandler
from api.logbook import Said, logbook
from millpond.errors import BadInput
from millpond.job import Job

LIMIT: Final = 1000  # lines, and the most of a page

_COUNT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 99_999_999}
_CURSORS: Final[Schema] = {"type": "string", "pattern": r"^([0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9})?$"}
_CURSOR = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})")

Place = tuple[int, int, int]  # run, attempt, line
_START: Final[Place] = (0, 0, 0)


class Logs(JobHandler):
    """Lines from Redis while their attempt is not recorded, from the database after."""

    route = "/v1/jobs/{id}/logs"
    calls: ClassVar = {
        "GET": Call(
            name="readLog",
            tag="Jobs",
            summary="Read what a job said",
            text="What its function printed, logged, and said with `current_job().log`, of all its attempts, oldest first. While the job "
            "goes on, `next` leads to what it says later.",
            takes=(
                Parameter("limit", "query", f"At most so many lines; more than {LIMIT} is taken as {LIMIT}.", {**_COUNT, "default": LIMIT}),
                Parameter("tail", "query", f"The last so many lines instead, at most {LIMIT}: goes before the others.", _COUNT),
                Parameter("cursor", "query", "The `next` of the page before.", _CURSORS),
                IF_NONE_MATCH,
            ),
            answers=(
                Answer(200, "A page of its lines.", ref("Log"), (ETAG,)),
                Answer(304, "Nothing was said since you read it.", None, (ETAG,)),
            ),
            refuses=("bad_parameter", "bad_cursor", "not_found", *READS),
        )
    }

    async def get(self, id: str) -> None:
        asked = _Asked.read(self.query("limit"), self.query("tail"), self.query("cursor"))
        job = await self.application.lookup.get(id)
        self.set_header("ETag", etags.tag(job))
        if etags.unchanged(self.request.headers.get("If-None-Match"), etags.tag(job)):
            self.set_status(304)
            self.finish()
            return
        lines = _lines(await self._said(job, asked.after), asked.after)
        self.reply(_page(job, deque(lines, asked.count) if asked.tail else islice(lines, asked.count), asked))

    async def _said(self, job: Job, after: Place) -> list[Said]:
        run, attempt, _ = after
        first = (job.run, job.attempt) <= (1, 1) and not job.final  # all that it said is in its hash
        return logbook(job, [] if first else await self.application.lookup.attempts(job.id, (run, attempt - 1)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which lines are wanted."""

    count: int
    tail: bool
    after: Place

    @classmethod
    def read(cls, limit: str | None, tail: str | None, cursor: str | None) -> "_Asked":
        """Raises BadInput (bad_parameter, bad_cursor)."""
        after, most, last = _place(cursor) if cursor else _START, _count("limit", limit), _count("tail", tail)
        return cls(last, True, _START) if last else cls(most or LIMIT, False, after)


def _count(name: str, value: str | None) -> int | None:
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) < 9 and int(value) > 0):
        raise BadInput(f"{name} is a whole number over 0.", code="bad_parameter", parameter=name)
    return min(int(value), LIMIT)


def _place(cursor: str) -> Place:
    if not (match := _CURSOR.fullmatch(cursor)):
        raise BadInput("The cursor is not one that a page answered.", code="bad_cursor")
    run, attempt, line = map(int, match.groups())
    return run, attempt, line


def _lines(said: Iterable[Said], after: Place) -> Iterator[tuple[Place, dict[str, Any]]]:
    for one in said:
        for line in one.lines():
            if (place := (one.run, one.attempt, line.number)) > after:
                yield place, one.document(line)


def _page(job: Job, lines: Iterable[tuple[Place, dict[str, Any]]], asked: _Asked) -> dict[str, Any]:
    found = list(lines)
    last = found[-1][0] if found else asked.after
    over = job.final and (asked.tail or len(found) < asked.count)
    return {"lines": [line for _, line in found], "next": None if over else ".".join(map(str, last))}
