"""Cancel and retry: the moves that a client may ask for on a job that is there (rule 9: never sent twice by us)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from api.calls import Writes
from api.orders import Offer
from api.problems import Refused
from api.records import Records
from millpond import moves
from millpond.errors import Conflict, NotFound, Unavailable
from millpond.job import Job, to_submission

NO_VERSION = 10**18  # which no job has
Versions = frozenset[int] | None  # that the client allows; None: any


@dataclass(frozen=True, slots=True)
class Moved:
    """A move that was made: `begun` is False for a wish that the running job has yet to hear."""

    begun: bool
    state: str
    version: int


def version_mismatch(version: int) -> Refused:
    """What is answered where If-Match names no version that the job has."""
    return Refused(412, "version_mismatch", f"The job has version {version} now.", version=version)


class Control:
    """Moves jobs. Every method raises NotFound, Conflict, Refused (412), NotDone or OutcomeUnknown."""

    def __init__(self, writes: Writes, records: Records, find: Callable[[str], Offer | None]) -> None:
        self._writes = writes
        self._records = records
        self._find = find

    async def cancel(self, id: str, allowed: Versions) -> Moved:
        """End what waits at once; tell what runs that it is unwanted."""
        changed = await self._move(allowed, lambda version: moves.cancel(id, version))
        if changed.answer == "gone":
            row = await self._record(id)
            _demand(allowed, row)
            raise _conflict("cancel", row.status)
        return _settle("cancel", changed)

    async def retry(self, id: str, allowed: Versions) -> Moved:
        """Run again what ended other than finished, also when Redis has forgotten it."""
        changed = await self._move(allowed, lambda version: moves.retry(id, version))
        if changed.answer == "gone":
            row = await self._record(id)
            _demand(allowed, row)
            if not row.final or row.status == "finished":
                raise _conflict("retry", row.status)
            offer = self._find(row.task or "")
            record = to_submission(row, offer.entry if offer else None)
            changed = await self._writes.run(moves.retry(id, row.version if allowed else 0, record, row.version, row.run, row.status))
        return _settle("retry", changed)

    async def _move(self, allowed: Versions, call: Callable[[int], moves.Call[moves.Changed]]) -> moves.Changed:
        """Make a move that one of many versions allows: the script compares one, and says which there is where that is another."""
        version = max(allowed, default=NO_VERSION) if allowed is not None else 0
        while True:
            changed = await self._writes.run(call(version))
            if changed.answer != "version" or not allowed or changed.version not in allowed:
                return changed
            version = changed.version

    async def _record(self, id: str) -> Job:
        row = await self._records.get(id)
        if row is None:
            raise NotFound(f"There is no job {id}.")
        return row


def _demand(allowed: Versions, row: Job) -> None:
    if allowed is not None and row.version not in allowed:
        raise version_mismatch(row.version)


def _settle(verb: Literal["cancel", "retry"], changed: moves.Changed) -> Moved:
    match changed.answer:
        case "ok" | "wish":
            return Moved(changed.answer == "ok", changed.state, changed.version)
        case "conflict":
            raise _conflict(verb, changed.state)
        case "version":
            raise version_mismatch(changed.version)
        case "gone":
            raise NotFound("The job was deleted meanwhile.")
    raise Unavailable("Redis holds something else under this job's keys.", code="broken_key")


def _conflict(verb: str, state: str) -> Conflict:
    return Conflict(f"A job that is {state} cannot be {'canceled' if verb == 'cancel' else 'retried'}.", state=state)
