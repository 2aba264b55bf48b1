"""What one request waits on."""

import asyncio

from millpond.errors import MillpondError, NotFound
from millpond.job import Job


class Watch:
    """The news of one job for one request. What comes while nobody takes it replaces what was there, so a slow reader holds one job.

    `moves`: tell of each move, not only of the end. A `patient` watch is told neither of a job that goes on (but see `moves`) nor
    of an outage: it waits for better news.
    """

    def __init__(self, moves: bool = False) -> None:
        self.moves = moves
        self.patient = True
        self.dismissed = False
        self.since = 0  # the number of the last read that had begun before this asked: it may be older than what its client knows
        self._told: Job | MillpondError | None = None
        self._rung = asyncio.Event()

    def tell(self, told: Job | MillpondError) -> None:
        """Give it news: the job as it is now, or why that cannot be said."""
        wanted = isinstance(told, NotFound) or (isinstance(told, Job) and (self.moves or told.final))
        if wanted or not self.patient:
            self._told = told
            self._rung.set()

    def dismiss(self) -> None:
        """Stop waiting: the client left, or this replica drains. Who is about to be told is told."""
        self.dismissed = True
        if self.patient:
            self._rung.set()

    def hurry(self) -> None:
        """Take whatever news come next."""
        self.patient = False
        if self._told is None:
            self._rung.clear()

    async def next(self, timeout_s: float) -> Job | None:
        """The newest job that was not taken yet; None when the time is over, or if it was dismissed. Raises what it was told."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return None
        told, self._told = self._told, None
        self._rung.clear()
        if isinstance(told, MillpondError):
            raise told
        return told
