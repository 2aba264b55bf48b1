"""RQ's commands to this worker, from its pub/sub channel; a subscription that went deaf is made anew."""

from typing import Any, Final

import redis

_PING_S: Final = 1.0
_DEAF_S: Final = 2.5  # without a pong: redis-py's own thread would wait for ever (rq 3.0: worker/base.py, subscribe)
_PAUSE_S: Final = 0.5


class Commands:
    """Looked at each turn of the parent's loop; never blocks longer than the client's time-out."""

    def __init__(self, client: redis.Redis, channel: str) -> None:
        self._client, self._channel = client, channel
        self._pubsub: Any = None
        self._heard_at = self._ping_at = 0.0

    def hear(self, now: float) -> list[dict[str, Any]]:
        """The messages since the last look, as redis-py gives them."""
        try:
            return self._hear(now)
        except (redis.RedisError, OSError):
            self.close()
            self._ping_at = now + _PAUSE_S
            return []

    def _hear(self, now: float) -> list[dict[str, Any]]:
        if self._pubsub is None:
            if now < self._ping_at:
                return []
            self._pubsub = self._client.pubsub()
            self._pubsub.subscribe(self._channel)
            self._heard_at = now
        found = []
        while message := self._pubsub.get_message(timeout=0):
            self._heard_at = now
            if message["type"] == "message":
                found.append(message)
        if now - self._heard_at > _DEAF_S:
            raise redis.ConnectionError("no pong")
        if now >= self._ping_at:
            self._ping_at = now + _PING_S
            self._pubsub.ping()
        return found

    def close(self) -> None:
        """Leave the channel."""
        if self._pubsub is not None:
            self._pubsub.close()
            self._pubsub = None
