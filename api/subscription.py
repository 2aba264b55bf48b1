"""One Redis subscription per replica, on which it is told of the jobs that somebody here waits for (rule 14)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import hiredis
from hiredis import pack_command
from redis.exceptions import RedisError

from api import link
from millpond import broker

_LOOK_S = 3.0  # a ping after this long without a word; none within as long again: the connection is dead
_AGAIN_S = 0.5  # reconnect back-off


class _Ear(asyncio.Protocol):
    """Hears each message of its connection in the turn of the loop in which its bytes come. `over` when nothing comes any more."""

    def __init__(self, transport: asyncio.Transport, heard: Callable[[str], None]) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport = transport
        self._heard = heard
        self._reader = hiredis.Reader()
        self._silent = True

    def say(self, *words: str) -> None:
        """Send a command."""
        self._transport.write(pack_command(words))  # type: ignore[arg-type]  # its stub knows one word

    async def hears(self, within_s: float) -> bool:
        """Whether anything comes in that time."""
        self._silent = True
        await asyncio.wait([self.over], timeout=within_s)
        return not self._silent and not self.over.done()

    def data_received(self, data: bytes) -> None:
        self._silent = False
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                match reply:
                    case [b"message", _, bytes(id)]:
                        self._heard(id.decode(errors="replace"))
                    case hiredis.ReplyError():
                        self._transport.abort()
        except hiredis.ProtocolError:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)


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
            with suppress(RedisError, OSError):
                await self._listen()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self) -> None:
        """Until the connection is lost."""
        ear, let_go = await link.take_over(self._pool, partial(_Ear, heard=self._heard))
        try:
            ear.say("SUBSCRIBE", self._channel)
            while await ear.hears(_LOOK_S) or await self._asked(ear):
                pass
        finally:
            let_go()

    async def _asked(self, ear: _Ear) -> bool:
        ear.say("PING")
        return await ear.hears(_LOOK_S)
