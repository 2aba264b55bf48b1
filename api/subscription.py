"""One Redis subscription per replica, on which it is told of the jobs that somebody here waits for (rule 14)."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from millpond import broker

_QUIET_S = 5.0  # a ping after this long without a message; no answer within another: the connection is dead
_AGAIN_S = 0.5  # reconnect back-off
_A_TURN = 25  # messages heard in one turn of the loop: redis-py does not yield while it has some


class Subscription:
    """Calls `heard` with each message on `channel`. What was published while it had no connection is lost: who waits also looks."""

    def __init__(self, redis_url: str, channel: str, heard: Callable[[str], None]) -> None:
        self._pool = broker.connect_async(redis_url).connection_pool
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

    async def _stay_subscribed(self) -> None:
        while True:
            connection = self._pool.make_connection()
            try:
                await connection.connect()
                await self._listen(connection)
            except (RedisError, OSError, TimeoutError):
                pass
            finally:
                await connection.disconnect(nowait=True)
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, connection: Any) -> None:
        await connection.send_command("SUBSCRIBE", self._channel)
        pinged = False
        for number in itertools.count():
            reply = await connection.read_response(timeout=_QUIET_S, push_request=True)  # None: nothing came
            match reply:
                case [b"message", _, bytes(id)]:
                    self._heard(id.decode(errors="replace"))
                case None if pinged:
                    return
                case None:
                    await connection.send_command("PING")
            pinged = reply is None
            if number % _A_TURN == 0:
                await asyncio.sleep(0)
