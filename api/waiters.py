"""Who waits for the end of which job, and one Redis subscription per replica that tells them (rule 14).

Pub/sub only hastens: a message can be lost with a connection, so whoever waits looks again every second (`lookup`).
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import redis.asyncio
from redis.exceptions import RedisError

from millpond import broker, keys

_QUIET_S = 5.0  # a ping after this long without a message; no answer within another: the connection is dead
_AGAIN_S = 0.5  # reconnect back-off


class Bell:
    """What one request waits on. It rings when the job may have ended; dismissed, it will wait no more."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.dismissed = False

    def ring(self) -> None:
        """Look at the job."""
        self._rung.set()

    def dismiss(self) -> None:
        """Stop waiting: the client left, or this replica drains."""
        self.dismissed = True
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        """Until it rings, at most `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            pass
        self._rung.clear()


class Waiters:
    """All bells of this replica, by job id."""

    def __init__(self, redis_url: str, replica: str) -> None:
        self.channel = keys.ended_channel(replica)
        self._client = broker.connect_async(redis_url)
        self._bells: dict[str, set[Bell]] = {}
        self._draining = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Subscribe, and stay subscribed."""
        self._task = asyncio.get_running_loop().create_task(self._stay_subscribed())

    @contextmanager
    def watch(self, id: str, bell: Bell) -> Iterator[None]:
        """Inside the block `bell` rings when the job ends. Enter it before the job is read: subscribe, read, then wait."""
        if self._draining:
            bell.dismiss()
        bells = self._bells.setdefault(id, set())
        bells.add(bell)
        try:
            yield
        finally:
            bells.discard(bell)
            if not bells and self._bells.get(id) is bells:
                del self._bells[id]

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return sum(map(len, self._bells.values()))

    def drain(self) -> None:
        """Let everybody go at once, and whoever still comes."""
        self._draining = True
        for bells in self._bells.values():
            for bell in bells:
                bell.dismiss()

    async def close(self) -> None:
        """End the subscription."""
        if self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._client.aclose()

    async def _stay_subscribed(self) -> None:
        while True:
            try:
                async with self._client.pubsub() as channel:
                    await channel.subscribe(self.channel)
                    self._ring_all()  # whatever was published while nobody listened is found by looking
                    await self._listen(channel)
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_AGAIN_S)

    async def _listen(self, channel: "redis.asyncio.client.PubSub") -> None:
        pinged = False
        while True:
            message = await channel.get_message(timeout=_QUIET_S)
            if message is None:
                if pinged:
                    raise TimeoutError
                await channel.ping()
            elif message["type"] == "message":
                for bell in self._bells.get(message["data"].decode(errors="replace"), ()):
                    bell.ring()
            pinged = message is None

    def _ring_all(self) -> None:
        for bells in self._bells.values():
            for bell in bells:
                bell.ring()
