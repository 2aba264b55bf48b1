"""Cancel and retry: the moves that a client may ask for on a job that is there (rule 9: never sent twice by us)."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from api.calls import Writes
from api.described import Parameter
from api.problems import Refused
from api.records import Records
from millpond import moves
from millpond.errors import Conflict, NotFound, Unavailable
from millpond.job import Job, to_submission

IF_MATCH: Final = Parameter(
    "If-Match",
    "header",
    "The job's ETag: the move is made only if the job has not moved since; `*` is any.",
    {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
)

_ETAG = re.compile(r'"(\d{1,18})"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that was made: `begun` is False for a wish that the running job has yet to hear."""

    begun: bool
    state: str
    version: int


def version_of(if_match: str | None) -> int:
    """The version that If-Match demands; 0: any. Raises Refused (412) for a tag that was never ours."""
    if if_match is None or if_match.strip() == "*":
        return 0
    if match := _ETAG.fullmatch(if_match.strip()):
        return int(match[1])
    raise Refused(412, "version_mismatch", "If-Match holds one ETag of this job.")


class Control:
    """Moves jobs. Every method raises NotFound, Conflict, Refused (412), NotDone or OutcomeUnknown."""

    def __init__(self, writes: Writes, records: Records) -> None:
        self._writes = writes
        self._records = records

    async def cancel(self, id: str, version: int) -> Moved:
        """End what waits at once; tell what runs that it is unwanted."""
        changed = await self._writes.run(moves.cancel(id, version))
        if changed.answer == "gone":
            row = await self._record(id)
            raise _conflict("cancel", row.status)
        return _settle("cancel", changed)

    async def retry(self, id: str, version: int) -> Moved:
        """Run again what ended other than finished, also when Redis has forgotten it."""
        changed = await self._writes.run(moves.retry(id, version))
        if changed.answer == "gone":
            row = await self._record(id)
            if not row.final or row.status == "finished":
                raise _conflict("retry", row.status)
            changed = await self._writes.run(moves.retry(id, version, to_submission(row), row.version, row.run, row.status))
        return _settle("retry", changed)

    async def _record(self, id: str) -> Job:
        row = await self._records.get(id)
        if row is None:
            raise NotFound(f"There is no job {id}.")
        return row


def _settle(verb: Literal["cancel", "retry"], changed: moves.Changed) -> Moved:
    match changed.answer:
        case "ok" | "wish":
            return Moved(changed.answer == "ok", changed.state, changed.version)
        case "conflict":
            raise _conflict(verb, changed.state)
        case "version":
            raise Refused(412, "version_mismatch", f"The job has version {changed.version} now.", version=changed.version)
        case "gone":
            raise NotFound("The job was deleted meanwhile.")
    raise Unavailable("Redis holds something else under this job's keys.", code="broken_key")


def _conflict(verb: str, state: str) -> Conflict:
    return Conflict(f"A job that is {state} cannot be {'canceled' if verb == 'cancel' else 'retried'}.", state=state)
