"""Where a job is read: Redis while it is open, the database after; any replica answers the same."""

import asyncio

from api.calls import Reads
from api.records import Records
from api.waiters import Bell, Waiters
from millpond import moves
from millpond.errors import NotFound, Unavailable, Undecodable
from millpond.job import Job

RECHECK_S = 1.0  # how long a lost message can delay a waiter


class Lookup:
    """Reads one job, and waits for its end."""

    def __init__(self, reads: Reads, records: Records, waiters: Waiters) -> None:
        self._reads = reads
        self._records = records
        self._waiters = waiters

    async def get(self, id: str, channel: str = "") -> Job:
        """A job as it is now. Raises NotFound, NotDone or StoreUnavailable.

        The database has the last word only once the job has left the open set, which happens after the commit: what was seen
        once is never followed by something older. A job that neither knows yet was put by stock RQ just now.
        """
        open_, live = await self.live(id, channel)
        if open_ and live:
            return live
        row = await self._records.get(id)
        if row and (live is None or live.version <= row.version):
            return row
        if live:
            return live
        raise NotFound(f"There is no job {id}.")

    async def live(self, id: str, channel: str = "") -> tuple[bool, Job | None]:
        """What Redis knows: whether the job is open, and the job. A hash that nobody can read is left to its record."""
        open_, fields = await self._reads.run(moves.listen(id, channel))
        try:
            return open_, Job.from_hash(id, fields) if fields else None
        except Undecodable:
            return open_, None

    async def wait(self, id: str, seconds: float, bell: Bell) -> Job:
        """The job when it has ended, or as it is after `seconds` or when `bell` is dismissed. Raises as `get`.

        A Redis or database that is away meanwhile is waited for, too, as long as there is time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        with self._waiters.watch(id, bell):
            while True:
                patient = loop.time() < deadline and not bell.dismissed
                try:
                    job = await self.get(id, self._waiters.channel if patient else "")
                    if job.final or not patient:
                        return job
                except Unavailable:
                    if not patient:
                        raise
                await bell.wait(min(RECHECK_S, max(0.0, deadline - loop.time())))
