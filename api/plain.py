"""Plain reads of Redis, many in one write: for probes, lists and figures, where no job moves."""

import asyncio
from collections.abc import Callable
from typing import Any

import redis.asyncio
from redis.exceptions import NoPermissionError, RedisError

from api.outage import Outage
from millpond import broker
from millpond.errors import NotDone

AT_ONCE = 4  # connections; the rest wait within their deadline
DEADLINE_S = 1.0

Pipe = Any  # redis-py's pipeline, whose methods are not typed for use without await


class Plain:
    """A small pool of connections. Every read is answered within about a second, or raises NotDone."""

    def __init__(self, redis_url: str) -> None:
        self._client: redis.asyncio.Redis = broker.connect_async(redis_url)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._outage = Outage("redis")

    async def read(self, ask: Callable[[Pipe], object], transaction: bool = False) -> list[Any]:
        """The replies to what `ask` puts into a pipeline; a refused command's reply is its exception."""
        try:
            async with asyncio.timeout(DEADLINE_S), self._turns, self._client.pipeline(transaction=transaction) as pipe:
                ask(pipe)
                replies: list[Any] = await pipe.execute(raise_on_error=False)
        except (RedisError, OSError, TimeoutError) as error:
            raise self._away(f"Redis does not answer: {error or 'timed out'}.") from error
        for reply in replies:
            if isinstance(reply, Exception) and broker.refused(reply) and not isinstance(reply, NoPermissionError):
                raise self._away(f"Redis refused: {reply}.")
        self._outage.seen()
        return replies

    def _away(self, fault: str) -> NotDone:
        self._outage.seen(fault)
        return NotDone(fault)

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()


def number(reply: Any) -> int:
    """A count; 0 where the key holds something else."""
    return reply if isinstance(reply, int) else 0


def text(reply: Any) -> str:
    """A reply as text, "" for none."""
    return reply.decode(errors="replace") if isinstance(reply, bytes) else ""
