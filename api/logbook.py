"""The lines that a job's attempts said, put together from the job's hash and from its attempts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from millpond import joblog
from millpond.attempt import Attempt
from millpond.job import Job
from millpond.joblog import Line
from millpond.times import rfc3339

Place = tuple[int, int]  # run, attempt


@dataclass(frozen=True, slots=True)
class Said:
    """What one attempt said. `ended`: how it ended, if that is known."""

    run: int
    attempt: int
    started_at: datetime | None
    text: str
    ended: Attempt | None = None

    def lines(self, after: int = 0) -> Iterator[Line]:
        """Its lines after that number."""
        return joblog.lines(self.text, after)

    def document(self, line: Line) -> dict[str, Any]:
        """One line as HTTP shows it."""
        at = self.started_at + timedelta(milliseconds=line.ms) if self.started_at else None
        place = {"run": self.run, "attempt": self.attempt, "line": line.number}
        return {**place, "at": rfc3339(at), "level": line.level, "text": line.text}


def logbook(job: Job, ended: Iterable[Attempt]) -> list[Said]:
    """What these attempts said, and all that Redis has of the job's log, in order."""
    said = {(one.run, one.attempt): Said(one.run, one.attempt, one.started_at, one.log or "", one) for one in ended}
    for (run, attempt), text in joblog.texts(job.log).items():
        started_at = job.started_at if (run, attempt) == (job.run, job.attempt) else None
        said.setdefault((run, attempt), Said(run, attempt, started_at, text))
    return [said[place] for place in sorted(said)]
