"""Whether this replica should be given work: Redis answers and keeps what it is told (rule 10)."""

import asyncio
from contextlib import suppress

from api import durability
from api.durability import ReplicasMissing, Verdict
from api.plain import Plain
from millpond.errors import NotDone

CHECK_S = 10.0  # how often Redis's settings are read again: somebody can change them while we run
AGAIN_S = 1.0  # while they could not be read, or were weak


class Readiness:
    """Watches Redis's durability; `demand` guards submissions, `check` answers probes."""

    def __init__(self, plain: Plain, demanded: str, replicas: int) -> None:
        self._plain = plain
        self._demanded = demanded
        self._replicas = replicas  # that must follow
        self._following = replicas  # as last seen
        self._verdict: Verdict | None = None  # None: not known yet
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stop watching."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])

    def demand(self) -> None:
        """Raise DurabilityWeak or ReplicasMissing if Redis is known to keep less than promised; the submission itself meets one that is
        away."""
        if self._verdict:
            self._verdict.demand()
        if self._following < self._replicas:
            raise ReplicasMissing(f"{self._following} replicas follow Redis, but MILLPOND_REPLICAS_ACK is {self._replicas}.")

    async def check(self) -> None:
        """Raise NotDone (Redis is away), DurabilityWeak or ReplicasMissing."""
        await self._plain.read(lambda pipe: pipe.ping())
        if self._verdict is None:
            await self._look()
        self.demand()

    async def _watch(self) -> None:
        while True:
            with suppress(NotDone):  # what it was is what we know; submissions notice for themselves that Redis is away
                await self._look()
            strong = self._verdict is not None and not self._verdict.faults and self._following >= self._replicas
            await asyncio.sleep(CHECK_S if strong else AGAIN_S)

    async def _look(self) -> None:
        *replies, replication = await self._plain.read(durability.ask)
        self._verdict = durability.verdict_of(self._demanded, replies) or self._verdict
        self._following = durability.replicas_of(replication)
