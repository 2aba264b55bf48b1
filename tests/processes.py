"""Processes that tests start, signal and kill by their own pid; none outlives the test run, however that ends."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from tests.pace import within
from tests.until import until

ROOT = Path(__file__).resolve().parent.parent

# Reads "+pid" and "-pid" lines; when the test run is gone (end of file), kills what is still listed.
_GUARD = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
pids = set()
for line in sys.stdin:
    (pids.add if line[0] == "+" else pids.discard)(int(line[1:]))
for pid in pids:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Guard:
    """A helper process that kills what the test run leaves behind. One per test run, started with the first process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._process: subprocess.Popen[str] | None = None

    def watch(self, pid: int) -> None:
        self._say(f"+{pid}\n")

    def release(self, pid: int) -> None:
        self._say(f"-{pid}\n")

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                # Its own session: a Ctrl-C at the terminal must not end it before what it guards.
                self._process = subprocess.Popen([sys.executable, "-c", _GUARD], stdin=subprocess.PIPE, text=True, start_new_session=True)
            assert self._process.stdin
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def close(self) -> None:
        """End the helper; it kills what is still watched."""
        with self._lock:
            if self._process:
                self._process.communicate(timeout=10)
                self._process = None


GUARD = Guard()


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def exists(pid: int) -> bool:
    """Whether a process with this pid exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """All living descendants of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, task.read_text().split()):
                found += [child, *children(child)]
    return [one for one in found if exists(one)]


class Process:
    """A command that can be started, killed, paused and started again with the same arguments; output goes to `log`."""

    def __init__(self, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, user: str | None = None) -> None:
        self.command = [str(word) for word in command]
        self.log = log
        self.env = dict(env or {})
        self.user = user
        self.cwd = ROOT
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it is ready; an AssertionError with the end of its log if it is not."""
        self.launch()
        try:
            until(self._ready_or_dead, self.ready_s, f"{self} is ready")
            assert self.alive, f"{self} ended with {self.returncode} before it was ready"
        except AssertionError as error:
            tail = self.output()[-3000:]
            self.kill()
            raise AssertionError(f"{error}\n{tail}") from None
        return self

    def launch(self) -> Self:
        """Start it without waiting."""
        assert not self.alive, f"{self} runs already"
        env = {**_clean_environment(), **self.env}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.cwd, user=self.user
            )
        GUARD.watch(self._process.pid)
        return self

    ready_s = 20.0

    def ready(self) -> bool:
        """Whether it does its work; asked until it answers True."""
        return True

    def _ready_or_dead(self) -> bool:
        return not self.alive or self.ready()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        return self._process.poll() if self._process else None

    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def signal(self, number: int) -> None:
        """Send a signal to this process alone."""
        if self._process:
            self._process.send_signal(number)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self, timeout_s: float = 30.0) -> int:
        """SIGTERM, and wait; answers the exit code. After `timeout_s` it is killed and that is an AssertionError."""
        self.resume()
        self.signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 10.0) -> int:
        """Wait for its end."""
        if not self._process:
            return 0
        try:
            code = self._process.wait(within(timeout_s))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"{self} did not end within {within(timeout_s):g} s\n{self.output()[-3000:]}") from None
        finally:
            if not self.alive:
                GUARD.release(self._process.pid)
        return code

    def restart(self) -> Self:
        """Kill it and start it again on the same data."""
        self.kill()
        return self.start()

    def __enter__(self) -> Self:
        return self if self.alive else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End it in whatever state it is."""
        if self.alive:
            self.kill()

    def __str__(self) -> str:
        return f"{type(self).__name__} {' '.join(self.command[:4])}"


def _clean_environment() -> dict[str, str]:
    """The environment without settings of ours, so that a developer's shell does not change a test."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MILLPOND_")}
