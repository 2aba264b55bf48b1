"""Collectors for tests: a loop in a thread, or the whole process."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

from tests.processes import Process


class Loop(Protocol):
    """A recorder or a keeper."""

    def run(self, stop: Event) -> None: ...


@contextmanager
def running(*loops: Loop) -> Iterator[None]:
    """The loops turn while the body runs."""
    stop = Event()
    threads = [Thread(target=loop.run, args=(stop,)) for loop in loops]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


class Collector(Process):
    """``python -m collector``. Settings by their names after MILLPOND_, in small letters."""

    def __init__(self, log: Path, redis_url: str, database_url: str, **settings: object) -> None:
        named = {"redis_url": redis_url, "database_url": database_url, **settings}
        super().__init__([sys.executable, "-m", "collector"], log, {f"MILLPOND_{name.upper()}": str(value) for name, value in named.items()})

    def ready(self) -> bool:
        return bool(self.lines("recording_started"))

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event in its log."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]
