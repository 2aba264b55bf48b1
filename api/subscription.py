"""One Redis subscription per replica, on which it is told of the jobs that somebody here waits for (rule 14)."""

import asyncio
from collections.abc import Callable

import redis.asyncio
from redis.exceptions import RedisError

from millpond import broker

_QUIET_S = 5.0  # a ping after this long without a message; no answer within another: the connection is dead
_AGAIN_S = 0.5  # reconnect back-off
_A_TURN = 50  # messages heard in one turn of the loop: redis-py does not yield while it has some


class Subscription:
    """Calls `heard` with each message on `channel`. What was published while it had no connection is lost: who waits also looks."""

    def __init__(self, redis_url: str, channel: str, heard: Callable[[str], None]) -> None:
        self._client = broker.connect_async(redis_url)
        self._channel = channel
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Subscribe, and stay subscribed."""
        self._task = asyncio.get_running_loop().create_task(self._stay_subscribed())

    async def close(self) -> None:
        """End it."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._client.aclose()

    async def _stay_subscribed(self) -> None:
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(self._channel)
                    await self._listen(channel)
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_AGAIN_S)

    async def _listen(self, channel: "redis.asyncio.client.PubSub") -> None:
        pinged = False
        heard = 0
        while True:
            message = await channel.get_message(timeout=_QUIET_S)
            if message is None:
                if pinged:
                    raise TimeoutError
                await channel.ping()
            elif message["type"] == "message":
                self._heard(message["data"].decode(errors="replace"))
                heard += 1
                if heard % _A_TURN == 0:
                    await asyncio.sleep(0)
            pinged = message is None
