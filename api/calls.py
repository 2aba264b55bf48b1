"""Script calls of one connection: reads leave together, writes one by one.

A write alone in its batch is told apart exactly: a refusal after others had been done would be neither one nor the other.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from api.lane import Lane
from api.link import Link
from millpond.errors import NotDone, OutcomeUnknown
from millpond.metrics import REDIS_SECONDS
from millpond.moves import Call

T = TypeVar("T")

READS_AT_ONCE = 8  # a result may have a megabyte: Redis is held for some 2 ms by each, and so is who waits behind it


class Calls:
    """One lane, each request within its deadline."""

    def __init__(self, redis_url: str, at_once: int) -> None:
        self._lane: Lane[Call[Any], Any] = Lane(redis_url, self._exchange, at_once)

    async def _exchange(self, link: Link, batch: Sequence[Call[Any]]) -> list[Any]:
        with REDIS_SECONDS.labels(batch[0].script.name).time():
            return await link.exchange(batch)

    async def close(self) -> None:
        """Let what was asked end, then disconnect."""
        await self._lane.close()


class Reads(Calls):
    """Calls that change nothing, or nothing that matters."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url, READS_AT_ONCE)

    async def run(self, call: Call[T]) -> T:
        """Raises NotDone: that a read's fate is unknown means nothing."""
        try:
            answer: T = await self._lane.ask(call)
        except OutcomeUnknown as error:
            raise NotDone(error.detail) from error
        return answer


class Writes(Calls):
    """Calls that move a job or a queue."""

    def __init__(self, redis_url: str) -> None:
        super().__init__(redis_url, 1)

    async def run(self, call: Call[T]) -> T:
        """Raises NotDone or OutcomeUnknown."""
        answer: T = await self._lane.ask(call)
        return answer
