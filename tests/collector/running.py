"""Collectors for tests: a loop in a thread, or the whole process."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond
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


def end_all(pond: Pond, slots: int = 50) -> None:
    """Run every queued job to a good end, as a worker would."""
    child = pond.hire()
    while True:
        pond.run(moves.heartbeat(child.worker))
        jobs = child.work(slots)
        if not jobs:
            return
        child.finish(*(moves.Outcome(one.id, one.execution, "finished", body=b'{"result":1}') for one in jobs))


def recorded(pond: Pond) -> bool:
    """Every event is recorded."""
    return bool(pond.ask("EXISTS", keys.EVENTS) == 1 and pond.ask("XLEN", keys.EVENTS) == 0)


def settled(pond: Pond) -> bool:
    """Every accepted job is recorded in its final state."""
    return recorded(pond) and not pond.open()


class Collector(Process):
    """``python -m collector``. Settings by their names after MILLPOND_, in small letters."""

    def __init__(self, log: Path, redis_url: str, database_url: str, **settings: object) -> None:
        named = {"redis_url": redis_url, "database_url": database_url, **settings}
        environment = {f"MILLPOND_{name.upper()}": str(value) for name, value in named.items()}
        super().__init__([sys.executable, "-m", "collector"], log, environment)

    def ready(self) -> bool:
        return bool(self.lines("recording_started"))

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of one event in its log."""
        lines = [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]
