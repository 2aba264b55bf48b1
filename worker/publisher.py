"""Tells the API which tasks this worker offers, again and again, so that no replica of it needs users' code."""

from collections.abc import Mapping
from threading import Event, Thread

import redis

from millpond import broker, catalogue
from millpond.task import Task

EVERY_S = 30.0
_PAUSE_S = 0.5


class Publisher:
    """Writes the catalogue entries of `tasks` at once and every 30 s, over a connection of its own."""

    def __init__(self, url: str, tasks: Mapping[str, Task]) -> None:
        self._client = broker.connect(url)
        self._tasks = tasks
        self._stopped = Event()

    def start(self) -> None:
        """Begin, in a thread of its own."""
        Thread(target=self._run, name="publisher", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._stopped.wait(EVERY_S if self._publish() else _PAUSE_S)

    def _publish(self) -> bool:
        try:
            catalogue.publish(self._client, self._tasks)
        except (redis.RedisError, OSError):
            return False
        return True
