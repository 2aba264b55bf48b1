"""Wakes an idle child: a connection of its own waits for the tokens that every move which queues a job leaves (rule 13)."""

from collections.abc import Sequence
from threading import Event, Thread

import redis

from millpond import broker, keys
from worker.inbox import Inbox, Woken

_WAIT_S = 2  # how long one BLPOP waits; a child that became busy meanwhile takes others' tokens for at most so long
_PAUSE_S = 0.5


class Waker:
    """Listens while the loop has said `listen`, until a token comes or it says `rest`."""

    def __init__(self, url: str, queues: Sequence[str], inbox: Inbox) -> None:
        # The server ends an empty wait; the socket's limit is only for a server that is gone.
        self._client = broker.connect(url, timeout_s=_WAIT_S + broker.TIMEOUT_S)
        self._keys = [keys.named("WAKE", name) for name in queues]
        self._inbox = inbox
        self._wanted = Event()
        self._pause = Event()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        Thread(target=self._run, name="waker", daemon=True).start()

    def listen(self) -> None:
        """The child is listed as idle: wait for a token."""
        self._wanted.set()

    def rest(self) -> None:
        """The child is not idle: leave the tokens to others."""
        self._wanted.clear()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            try:
                token = self._client.blpop(self._keys, timeout=_WAIT_S)
            except (redis.RedisError, OSError):
                self._pause.wait(_PAUSE_S)  # compare meets what a token would have told
                continue
            if token:
                self._wanted.clear()
                self._inbox.put(Woken())
