"""Group commit: everything that waits to be submitted leaves in one script call over one connection (rule 9)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.lane import Lane
from api.link import Command, Link
from millpond import keys, metrics, moves
from millpond.errors import RedisFull

_ABREAST = 2  # while one batch is synced to Redis's disk, the next is read from its clients
CAP = 500  # jobs in one call: about 10 ms of Redis; more would be felt by every worker
REPLICA_MS = 500  # for replicas to sync; less than the lane takes for silence

_SECONDS = metrics.REDIS_SECONDS.labels("submit")


@dataclass(frozen=True, slots=True)
class Acks:
    """How many servers must have a submission on disk before its 202: `replicas`, and the primary where it keeps a log at all."""

    replicas: int = 0
    primary: bool = True

    def commands(self) -> list[Command]:
        """What follows the submissions in the same write. WAITAOF (Redis 7.2) looks at the last write of its own connection, and a
        replay writes nothing: so there is a write for it to look at."""
        if not self.replicas:
            return []
        return [("SET", keys.WITNESS, "1"), ("WAITAOF", int(self.primary), self.replicas, REPLICA_MS)]

    def kept(self, replies: Sequence[Any]) -> bool:
        """Whether the replies say so: WAITAOF answers its counts also when its time is over."""
        if not self.replicas:
            return True
        written, counts = replies
        return not isinstance(written, Exception) and isinstance(counts, list) and counts[1] >= self.replicas


class Submitter:
    """Accepts jobs into Redis: one round trip for a request alone, one for all that wait together."""

    def __init__(self, redis_url: str, idempotency_h: int, limits: moves.Limits, acks: Acks) -> None:
        self._idempotency_h = idempotency_h
        self._limits = limits
        self._acks = acks
        self._lane = Lane(redis_url, self._exchange, CAP, abreast=_ABREAST)

    async def submit(self, submission: moves.Submission) -> moves.Submitted:
        """Accept one job. Raises NotDone, or OutcomeUnknown: then the job may be there, and only its client may send it again."""
        return await self._lane.ask(submission, len(submission.data))

    def send(self, submission: moves.Submission, done: Callable[[moves.Submitted | Exception], None]) -> None:
        """As `submit`, without waiting: `done` will be called. Raises NotDone where too much waits."""
        self._lane.put(submission, len(submission.data), done)

    async def _exchange(self, link: Link, batch: Sequence[moves.Submission]) -> list[moves.Submitted]:
        metrics.SUBMIT_BATCH.observe(len(batch))
        call = moves.submit(batch, self._idempotency_h, self._limits)
        try:
            with _SECONDS.time():
                answers, *replies = await link.exchange([call], self._acks.commands())
        except RedisFull:
            return [moves.Submitted("refused", one.id, "", detail="redis-memory") for one in batch]
        return answers if self._acks.kept(replies) else [_unreplicated(one) for one in answers]

    async def close(self) -> None:
        """Let what was asked end, then disconnect."""
        await self._lane.close()


def _unreplicated(answer: moves.Submitted) -> moves.Submitted:
    return replace(answer, answer="unreplicated") if answer.answer in ("accepted", "replayed") else answer
