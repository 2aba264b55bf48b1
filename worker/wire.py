"""The child's connection for moves: requests leave packed in one write, replies come back in order, and nobody waits for them.

If it is lost, what was written may or may not have been done; its replies can never arrive late, because the socket is closed
(rule 4). Whoever uses it keeps what is unanswered, and says it again where that is safe.
"""

import math
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import redis

from millpond import broker
from millpond.moves import Call
from millpond.scripts import load
from worker.channel import Channel

T = TypeVar("T")

_SCRIPTS = ("claim", "start", "display", "report", "finish", "hand_back", "compare")
_LOOK_S = 0.02  # after which answers are looked for that nobody hurries for
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.5


class Lost(Exception):
    """The connection is gone, or Redis answered an error: nothing that was unanswered is known to be done."""


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """A call, and who takes its answer. `urgent`: there is something to do as soon as it is here; what is not is taken with the next."""

    call: Call[T]
    answered: Callable[[T], None]
    urgent: bool = True


class Wire:
    """One connection, used by one thread."""

    def __init__(self, url: str) -> None:
        self._channel = Channel(url)
        self._awaited: deque[tuple[float, Request[Any]]] = deque()  # each with when it was written
        self._urgent = 0
        self._look_at = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._try_at = 0.0
        self.open = False

    def ready(self, now: float) -> bool:
        """Whether it is open; opens it if it is time to try."""
        if not self.open and now >= self._try_at:
            self._try_at = now + self._pause_s
            self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
            self.open = self._connect()
        return self.open

    @property
    def urgent(self) -> socket.socket | None:
        """What to wait for, readable when there are answers or no connection any more; None where no answer is urgent."""
        return self._channel.socket if self._urgent else None

    @property
    def next_at(self) -> float:
        """When there is something to do though nothing urgent has come: `ready` tries again, `collect` finds or gives up answers."""
        if not self.open:
            return self._try_at
        if not self._awaited:
            return math.inf
        return self._awaited[0][0] + broker.TIMEOUT_S if self._urgent else self._look_at

    def write(self, requests: Sequence[Request[Any]]) -> None:
        """Put requests on the socket, in one write. Raises Lost."""
        if not requests:
            return
        now = time.monotonic()
        self._awaited.extend((now, one) for one in requests)
        self._urgent += sum(one.urgent for one in requests)
        try:
            self._channel.send([("EVALSHA", one.call.script.sha, 0, *one.call.args) for one in requests])
        except (redis.RedisError, OSError) as error:
            raise self._lose(error) from error

    def collect(self) -> None:
        """Hand each answer that is here to its taker, in order. Raises Lost, also where Redis is silent for too long."""
        try:
            for raw in self._channel.replies():
                _, request = self._awaited.popleft()
                self._urgent -= request.urgent
                request.answered(request.call.read(raw))
        except (redis.RedisError, OSError) as error:
            # An error reply, too: no script of ours raises, so it is Redis that cannot work now (LOADING, READONLY),
            # or that has forgotten the scripts, which only a new connection loads.
            raise self._lose(error) from error
        now = time.monotonic()
        self._look_at = now + _LOOK_S
        if self._awaited and now - self._awaited[0][0] >= broker.TIMEOUT_S:
            raise self._lose(TimeoutError("no answer in time"))

    def _connect(self) -> bool:
        try:
            self._channel.open([("SCRIPT", "LOAD", load(name).text) for name in _SCRIPTS])
        except (redis.RedisError, OSError):
            self.close()
            return False
        self._pause_s = _FIRST_PAUSE_S
        return True

    def _lose(self, error: Exception) -> Lost:
        self.close()
        return Lost(str(error))

    def close(self) -> None:
        """Close it; what is unanswered is dropped."""
        self.open = False
        self._awaited.clear()
        self._urgent = 0
        self._channel.close()
