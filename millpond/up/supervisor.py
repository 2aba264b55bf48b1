"""Keeps the parts of `millpond up` running: one thread, one loop over their output, their deaths and our signals."""

import selectors
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType

from millpond.errors import MillpondError
from millpond.settings import environment
from millpond.up.process import Part, Process, ending

TURN_S = 0.2  # how late we may be to see a death or a signal
REFUSED = (2, 3)  # exit statuses of a service that refuses its settings, or its Redis: starting it again would not help
EARLY_DEATHS = 4  # who dies this often before it was ever ready is given up


class Stopped(Exception):
    """Somebody asked us to stop before everything was ready."""


class GaveUp(MillpondError):
    """A part cannot run; the message says which and why."""

    code = "part_cannot_run"


class Supervisor:
    """`hear` gets (part, line) for each line that a part prints; `tell` gets sentences for the user."""

    def __init__(self, logs: Path, hear: Callable[[str, str], None], tell: Callable[[str], None]) -> None:
        self.stops = 0  # how often we were asked to stop
        self.processes: list[Process] = []
        self._logs = logs
        self._hear = hear
        self._tell = tell
        self._selector = selectors.DefaultSelector()
        self._draining = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def start(self, parts: Iterable[Part]) -> list[Process]:
        """Start parts side by side; they are watched from now on."""
        started = [self._add(part) for part in parts]
        for process in started:
            self._begin(process)
        return started

    def until_ready(self, processes: Sequence[Process], timeout_s: float) -> None:
        """Turn until all are ready. Raises Stopped, or GaveUp for what dies again and again or is not ready in time."""
        waiting = list(processes)

        def all_ready() -> bool:
            waiting[:] = [one for one in waiting if not (one.alive and one.part.ready())]
            for one in waiting:
                if one.starts >= EARLY_DEATHS:
                    raise GaveUp(f"{one.part.name} dies again and again; its log is {one.log}")
            return not waiting

        self.until(all_ready, timeout_s, lambda: "not ready: " + ", ".join(f"{one.part.name} ({one.log})" for one in waiting))

    def until(self, condition: Callable[[], bool], timeout_s: float, fault: Callable[[], str]) -> None:
        """Turn until `condition` holds. Raises Stopped, or GaveUp with `fault` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self._turn(0.05)
            if self.stops:
                raise Stopped
            if time.monotonic() > deadline:
                raise GaveUp(f"within {timeout_s:g} s: {fault()}")

    def complete(self, part: Part, timeout_s: float) -> None:
        """Run a part to its end. Raises GaveUp if that is not a success, and Stopped."""
        process = self._add(part)
        self.processes.remove(process)
        self._begin(process)
        deadline = time.monotonic() + timeout_s
        try:
            while process.alive and time.monotonic() < deadline and not self.stops:
                self._turn(0.05)
        finally:
            self._forget(process)
            process.close()
        if self.stops:
            raise Stopped
        if process.status:
            raise GaveUp(f"{part.name} {ending(process.status)}; its log is {process.log}")

    def watch(self) -> None:
        """Keep all parts running until we are asked to stop."""
        while not self.stops:
            self._turn(TURN_S)

    def drain(self) -> None:
        """End the parts by rank, the highest first, each rank when the one before is gone; a second signal cuts."""
        self._draining = True
        for rank in sorted({one.part.rank for one in self.processes}, reverse=True):
            self._drain([one for one in self.processes if one.part.rank == rank])

    def cut(self) -> None:
        """End everything now."""
        for process in self.processes:
            self._forget(process)
            process.close()

    def _drain(self, processes: Sequence[Process]) -> None:
        deadline = time.monotonic() + max(one.part.drain_s for one in processes)
        for process in processes:
            process.terminate()
        while any(one.alive for one in processes) and self.stops < 2 and time.monotonic() < deadline:
            self._turn(0.05)
        for process in processes:
            if process.alive and self.stops < 2:
                self._tell(f"{process.part.name} did not end within {process.part.drain_s:g} s and was killed")
            self._forget(process)
            process.close()

    def _add(self, part: Part) -> Process:
        process = Process(
            part,
            self._logs / f"{part.name}.log",
            environment(part.settings),
            lambda line: self._hear(part.name, line),
            self._tell,
        )
        self.processes.append(process)
        return process

    def _begin(self, process: Process) -> None:
        process.start()
        self._selector.register(process, selectors.EVENT_READ, process)

    def _turn(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if not key.data.read():
                self._forget(key.data)
        for process in self.processes:
            self._tend(process)

    def _tend(self, process: Process) -> None:
        if process.alive or self._draining:
            return
        if process.due is None:
            self._bury(process)
        elif time.monotonic() >= process.due:
            self._begin(process)

    def _bury(self, process: Process) -> None:
        self._forget(process)
        process.bury()
        if process.status in REFUSED:
            raise GaveUp(f"{process.part.name} refuses to start: see above, or {process.log}")

    def _forget(self, process: Process) -> None:
        if not process.closed and process in self._selector.get_map():
            self._selector.unregister(process)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1
