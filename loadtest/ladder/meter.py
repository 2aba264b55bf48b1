"""What a server uses while it is measured: CPU seconds and memory, of all its processes together."""

from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Self

from loadtest.stage import Process, cpu_s, tree

_EVERY_S = 0.2


class Meter:
    """A context around what is measured. `cpu_s`: seconds of CPU, user and system; `peak_mb`: the most memory seen, in millions of
    bytes; memory that processes share counts once (PSS, proc_pid_smaps(5))."""

    def __init__(self, process: Process) -> None:
        self.cpu_s = 0.0
        self.peak_mb = 0.0
        self._process = process
        self._end = Event()
        self._thread = Thread(target=self._watch, name="meter")

    def __enter__(self) -> Self:
        self._before = cpu_s(self._process)
        self._thread.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._end.set()
        self._thread.join()
        self.cpu_s = cpu_s(self._process) - self._before

    def _watch(self) -> None:
        ended = False
        while not ended:
            ended = self._end.wait(_EVERY_S)
            self.peak_mb = max(self.peak_mb, memory_mb(self._process))


def memory_mb(process: Process) -> float:
    """Memory of a process and its descendants now, in millions of bytes; one that ends meanwhile counts for nothing."""
    return sum(_own_mb(pid) for pid in tree(process.pid))


def _own_mb(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
