"""One process of `millpond up`: its log file, its death, its next start. It and its children never outlive us."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STEADY_S = 30.0  # who ran this long starts again at once
LONGEST_PAUSE_S = 10.0
CHUNK_BYTES = 65_536  # also the longest line that is looked at whole
KEPT_LOG_BYTES = 10_000_000  # a larger log is moved aside at the next start

Hear = Callable[[str], None]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Part:
    """What to run. `ready`: whether it does its work. `drain_s`: how long it may take to end after SIGTERM.

    `rank`: parts of a higher rank are ended first, because they need those of a lower one.
    """

    name: str
    command: Sequence[str]
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] = lambda: True
    drain_s: float = 10.0
    rank: int = 0


class Process:
    """A part that runs, or ran, or will run again. `hear` gets each line it prints; `tell` what happens to it."""

    def __init__(self, part: Part, log: Path, environment: Mapping[str, str], hear: Hear, tell: Hear) -> None:
        self.part = part
        self.log = log
        self.environment = environment
        self.hear = hear
        self.tell = tell
        self.starts = 0
        self.due: float | None = None  # when to start again, on the monotonic clock
        self._failures = 0
        self._started = 0.0
        self._rest = b""
        self.closed = True
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """The last exit status; negative: the signal; None while it runs or before it ran."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start it, in a session of its own: a Ctrl-C at the terminal reaches us alone, and we say when it ends."""
        if self.log.exists() and self.log.stat().st_size > KEPT_LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        self._process = subprocess.Popen(
            self.part.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.part.folder,
            env=self.environment,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),  # safe: this process has one thread
        )
        assert self._process.stdout
        os.set_blocking(self._process.stdout.fileno(), False)
        self.starts += 1
        self.due = None
        self.closed = False
        self._started = time.monotonic()

    def fileno(self) -> int:
        """The pipe on which it prints."""
        assert self._process
        assert self._process.stdout
        return self._process.stdout.fileno()

    def read(self) -> bool:
        """Take over what it printed; False at the end of its output."""
        try:
            chunk = os.read(self.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return True
        with self.log.open("ab") as log:
            log.write(chunk)
        *lines, rest = (self._rest + chunk).split(b"\n")
        self._rest = rest[-CHUNK_BYTES:]
        for line in lines:
            self.hear(line.decode(errors="replace"))
        return bool(chunk)

    def bury(self) -> None:
        """After its death: end what it left behind, close its output, and say when it starts again."""
        self.close()
        assert self._process
        self._failures = 1 if time.monotonic() - self._started > STEADY_S else self._failures + 1
        pause_s = min(LONGEST_PAUSE_S, 0.25 * 2.0 ** (self._failures - 1))
        self.due = time.monotonic() + pause_s
        self.tell(f"{self.part.name} {ending(self._process.returncode)}; it starts again in {pause_s:g} s")

    def close(self) -> None:
        """End it and what it left behind, and take over the last it printed. Once: its pid may be another's later."""
        if self.closed:
            return
        self.cut()
        while self.read():
            pass
        assert self._process
        assert self._process.stdout
        self._process.stdout.close()
        self.closed = True

    def terminate(self) -> None:
        """Ask it to drain."""
        if self.alive and self._process:
            self._process.terminate()

    def cut(self) -> None:
        """SIGKILL to it and to all that it started."""
        if self._process and not self.closed:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def ending(status: int) -> str:
    """An exit status in words."""
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _die_with(parent: int) -> Callable[[], None]:
    """For the new process, between fork and exec: the kernel kills it when we die, however we die. Linux only."""

    def tie() -> None:
        if _libc:
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)

    return tie
