"""Where a job is read: Redis while it is open, the database after; any replica answers the same."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from api.calls import Reads
from api.records import Records
from millpond import moves
from millpond.attempt import Attempt
from millpond.errors import NotFound, Undecodable
from millpond.job import Job, attempts_from_hash


@dataclass(frozen=True, slots=True)
class Seen:
    """What Redis holds of a job: whether it is open, and its hash."""

    id: str
    open: bool
    fields: Mapping[str, bytes]

    def judged(self) -> tuple[bool, Job | None]:
        """As `Lookup.live`."""
        try:
            return self.open, Job.from_hash(self.id, self.fields) if self.fields else None
        except Undecodable:
            return self.open, None

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(map(len, self.fields.values()))


class Lookup:
    """Reads jobs."""

    def __init__(self, reads: Reads, records: Records) -> None:
        self._reads = reads
        self._records = records

    async def get(self, id: str) -> Job:
        """A job as it is now. Raises NotFound, NotDone or StoreUnavailable."""
        return await self.settled(id, *await self.live(id))

    async def live(self, id: str) -> tuple[bool, Job | None]:
        """What Redis knows: whether the job is open, and the job. A hash that nobody can read is left to its record."""
        return Seen(id, *await self._reads.run(moves.listen(id))).judged()

    async def live_all(self, items: Sequence[tuple[str, moves.Told]], channel: str) -> list["Seen"]:
        """As `live`, many in one call, which also says what is to be told of each on `channel`."""
        heard = await self._reads.run(moves.listen_all(items, channel))
        return [Seen(id, *one) for (id, _), one in zip(items, heard, strict=True)]

    async def glance(self, items: Sequence[tuple[str, int | None]]) -> list[str]:
        """Which of these jobs ended, are gone, or have another version than this one."""
        return await self._reads.run(moves.glance(items))

    async def settled(self, id: str, open_: bool, live: Job | None) -> Job:
        """The job after Redis has spoken. Raises NotFound or StoreUnavailable.

        The database has the last word only once the job has left the open set, which happens after the commit: what was seen
        once is never followed by something older. A job that neither knows yet was put by stock RQ just now.
        """
        if open_ and live:
            return live
        row = await self._records.get(id)
        if row and (live is None or live.version <= row.version):
            return row
        if live:
            return live
        raise NotFound(f"There is no job {id}.")

    async def attempts(self, id: str, after: tuple[int, int] = (0, 0)) -> list[Attempt]:
        """The attempts that ended after (run, attempt), of all runs, in order: what the record holds, and what it has yet to be told;
        of a record with many, the newest. Raises NotDone or StoreUnavailable."""
        _, hash = await self._reads.run(moves.listen(id))
        known = {(one.run, one.attempt): one for one in [*_outcomes(id, hash), *await self._records.attempts(id, after)]}
        return [known[place] for place in sorted(known) if place > after]


def _outcomes(id: str, hash: Mapping[str, bytes]) -> list[Attempt]:
    try:
        return attempts_from_hash(id, hash)
    except Undecodable:
        return []
