"""Group commit: everything that waits to be submitted leaves in one script call over one connection (rule 9)."""

from collections.abc import Callable, Sequence
from typing import Any

from api.lane import Lane
from millpond import broker, metrics, moves

CAP = 500  # jobs in one call: about 10 ms of Redis; more would be felt by every worker

_SECONDS = metrics.REDIS_SECONDS.labels("submit")


class Submitter:
    """Accepts jobs into Redis: one round trip for a request alone, one for all that wait together."""

    def __init__(self, redis_url: str, idempotency_h: int) -> None:
        self._idempotency_h = idempotency_h
        self._lane = Lane(redis_url, self._exchange, CAP)

    async def submit(self, submission: moves.Submission) -> moves.Submitted:
        """Accept one job. Raises NotDone, or OutcomeUnknown: then the job may be there, and only its client may send it again."""
        return await self._lane.ask(submission, len(submission.data))

    def send(self, submission: moves.Submission, done: Callable[[moves.Submitted | Exception], None]) -> None:
        """As `submit`, without waiting: `done` will be called. Raises NotDone where too much waits."""
        self._lane.put(submission, len(submission.data), done)

    async def _exchange(self, connection: Any, batch: Sequence[moves.Submission]) -> list[moves.Submitted]:
        metrics.SUBMIT_BATCH.observe(len(batch))
        with _SECONDS.time():
            (answers,) = await broker.exchange_async(connection, [moves.submit(batch, self._idempotency_h)])
        return answers  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Let what was asked end, then disconnect."""
        await self._lane.close()
