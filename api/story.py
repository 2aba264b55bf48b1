"""What a stream tells of a job: its states as they are seen, and between them the attempts that ended.

An event's id says how far its reader is: `version.run.attempt.line`, the version of the job, the last attempt whose end was told, and
the lines of the attempt after it that were. So any replica can go on where another stopped, and needs nothing but the job and its
attempts. A state that a job no longer has is kept nowhere; what it led to is: each attempt that ended has its record.
"""

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from api.logbook import logbook
from api.lookup import Lookup
from millpond import codec
from millpond.attempt import Attempt
from millpond.errors import Unavailable
from millpond.job import Job
from millpond.times import rfc3339

_ID = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9})\.([0-9]{1,9})(?:\.([0-9]{1,9}))?)?")

# What moves change; the rest of the document is told with the end.
_STATE = ("id", "status", "reason", "run", "attempt", "failures", "version", "worker", "progress", "enqueued_at", "started_at", "run_at")
_PROGRESS = ("id", "run", "attempt", "version", "progress")


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader is. Before the first event: all zero."""

    version: int = 0
    run: int = 0
    attempt: int = 0
    line: int = 0

    @property
    def last_ended(self) -> tuple[int, int]:
        """(run, attempt) of the last attempt whose end was told."""
        return self.run, self.attempt

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """An id as we wrote it, or a version alone; None for anything else."""
        match = _ID.fullmatch(text.strip())
        return cls(*(int(number or 0) for number in match.groups())) if match else None

    def __str__(self) -> str:
        return f"{self.version}.{self.run}.{self.attempt}{f'.{self.line}' if self.line else ''}"


@dataclass(frozen=True, slots=True)
class Event:
    """One event, and the place of who has read it."""

    name: str
    place: Place
    document: Any

    def render(self) -> bytes:
        """As it is sent. JSON is one line, but a result goes in as the text it was stored as."""
        data = b"\ndata: ".join(codec.render(self.document).splitlines())
        return f"event: {self.name}\nid: {self.place}\n".encode() + b"data: " + data + b"\n\n"


class Story:
    """One reader's way through the life of a job. `place` None: it begins now, without what was before."""

    def __init__(self, lookup: Lookup, id: str, place: Place | None) -> None:
        self._lookup = lookup
        self._id = id
        self._place = place
        self._shown: dict[str, Any] | None = None

    async def told_by(self, job: Job) -> list[Event]:
        """The events that bring the reader to this state of the job; none if it is there, or further."""
        place = self._place or Place(0, job.run, _ended(job))
        if job.version < place.version and self._shown is None:
            place = Place(0, job.run, _ended(job))  # another job under the id of one that is gone
        elif job.version <= place.version:
            return []
        events: list[Event] = []
        with suppress(Unavailable):  # then they are told with the next event, as the place stays behind them
            place, events = await self._meanwhile(place, job)
        self._place = Place(job.version, job.run, job.attempt) if job.final else replace(place, version=job.version)
        if (event := self._state(job, self._place)) is not None:
            events.append(event)
        elif events:
            events[-1] = replace(events[-1], place=self._place)
        return events

    async def _meanwhile(self, place: Place, job: Job) -> tuple[Place, list[Event]]:
        """What attempts said, and how they ended, since; and the place behind that. The end of a job is not told as its last attempt's."""
        reached = (job.run, _ended(job))
        in_record = job.final and job.recorded_at is not None
        unknown = in_record or reached > place.last_ended
        ended = await self._lookup.attempts(self._id, place.last_ended) if unknown else []
        events: list[Event] = []
        for said in [one for one in logbook(job, ended) if (one.run, one.attempt) > place.last_ended]:
            before = (said.run, said.attempt - 1)
            for line in said.lines(place.line if before == place.last_ended else 0):
                place = Place(place.version, *before, line.number)
                events.append(Event("log", place, {"id": self._id, **said.document(line)}))
            if said.ended and (said.run, said.attempt) <= reached:
                place = Place(place.version, said.run, said.attempt)
                events.append(Event("attempt", place, _attempt(said.ended)))
        return (Place(place.version, *reached) if place.last_ended < reached else place), events

    def _state(self, job: Job, place: Place) -> Event | None:
        document = job.public()
        if job.final:
            return Event("end", place, document)
        before, self._shown = self._shown, {name: document[name] for name in _STATE if name != "version"}
        if before == self._shown:
            return None  # a wish, say: the version alone moved
        moved = before is None or any(before[name] != document[name] for name in before if name != "progress")
        return Event("state" if moved else "progress", place, {name: document[name] for name in (_STATE if moved else _PROGRESS)})


def _ended(job: Job) -> int:
    """How many attempts of this run certainly ended, the last one of a job that ended left out."""
    return max(0, job.attempt - 1) if job.final or job.status == "started" else job.attempt


def _attempt(one: Attempt) -> dict[str, Any]:
    error = {"code": one.error_code, "message": one.error_message}
    return {
        "id": one.job_id,
        "run": one.run,
        "attempt": one.attempt,
        "status": one.status,
        "error": error if one.error_code else None,
        "worker": one.worker,
        "started_at": rfc3339(one.started_at),
        "ended_at": rfc3339(one.ended_at),
    }
