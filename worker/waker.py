"""Wakes an idle child: a connection of its own waits for the tokens that every move which queues a job leaves (rule 13)."""

import socket
import time
from collections.abc import Sequence
from typing import Final

import redis

from millpond import broker, keys
from worker.channel import Channel

_WAIT_S: Final = 2  # how long one BLPOP waits; a child that became busy meanwhile takes others' tokens for at most so long
_PAUSE_S: Final = 0.5


class Waker:
    """Used by the loop alone. What a token would have told, and did not, a comparison meets."""

    def __init__(self, url: str, queues: Sequence[str]) -> None:
        self._channel = Channel(url)
        self._wait = ("BLPOP", *(keys.named("WAKE", name) for name in queues), str(_WAIT_S))
        self._wanted = False
        self._asked_at = 0.0  # on the monotonic clock, for what is not answered; 0: nothing is asked
        self._try_at = 0.0
        self._serves = bool(queues)

    @property
    def socket(self) -> socket.socket | None:
        """What to wait on: readable when the answer is here."""
        return self._channel.socket if self._asked_at else None

    def want(self, wanted: bool) -> None:
        """Whether the child is listed as idle; if not, the tokens are others'."""
        self._wanted = wanted and self._serves

    def heard(self) -> bool:
        """Whether a token came."""
        if not self._asked_at:
            return False
        try:
            for token in self._channel.replies():
                self._asked_at = 0.0
                if token:
                    self._wanted = False
                    return True
        except (redis.RedisError, OSError):
            self._lose()
        return False

    def ask(self) -> None:
        """Ask for a token, if one is wanted and none is asked for. Redis can be reached: otherwise this would wait for it."""
        now = time.monotonic()
        if self._asked_at and now - self._asked_at > _WAIT_S + broker.TIMEOUT_S:
            self._lose()
        if self._asked_at or not self._wanted or now < self._try_at:
            return
        try:
            if not self._channel.socket:
                self._channel.open([])
            self._channel.send([self._wait])
            self._asked_at = now
        except (redis.RedisError, OSError):
            self._lose()

    def _lose(self) -> None:
        self._channel.close()
        self._asked_at, self._try_at = 0.0, time.monotonic() + _PAUSE_S
