"""A runner as its child sees it: a process, the socket to it, and what runs in it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any, Final

from worker.frames import Frame, Frames, frame
from worker.run import Run

_LAST_WORDS_S: Final = 0.2  # after its end, for what it has said to arrive; a process that it left behind may hold the socket


class RunnerProcess(asyncio.Protocol):
    """One runner, from its start until it was reaped. All calls in one thread, which outlives it: its kernel's death signal comes with
    the end of that thread.

    `ready`: it has imported users' modules. `retiring`: it is given nothing more. `served`: runs that ended in it. `left`: those
    of its `runs` that go on without a slot.
    """

    def __init__(self, heard: Callable[["RunnerProcess", Frame], None], gone: Callable[["RunnerProcess", str], None]) -> None:
        self._heard, self._gone = heard, gone
        self._frames = Frames()
        self._pidfd = -1
        self._transport: Any = None
        self.runs: dict[str, Run] = {}
        self.left: set[str] = set()
        self.ready = self.retiring = False
        self._over = self._buried = False
        self.served = 0

    def start(self, module: str, orders: dict[str, Any]) -> None:
        """Begin. Raises OSError where the machine has no process, file or memory left."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                # A process group of its own: what a job started is killed with it.
                command = [sys.executable, "-m", module, str(theirs.fileno())]
                self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), process_group=0)
            except OSError:
                ours.close()
                raise
        self._loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, AttributeError):  # elsewhere than on Linux the end of its socket must do
            self._pidfd = os.pidfd_open(self._process.pid)
            self._loop.add_reader(self._pidfd, self._ended)
        self._connecting = self._loop.create_task(self._connect(ours, orders))

    async def _connect(self, ours: socket.socket, orders: dict[str, Any]) -> None:
        await self._loop.create_unix_connection(lambda: self, sock=ours)
        self.send(frame("orders", orders))

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def busy(self) -> int:
        """How many of its slots are taken."""
        return len(self.runs) - len(self.left)

    def send(self, frames: bytes) -> None:
        """Say one, or more."""
        if self._transport:
            self._transport.write(frames)

    def close(self) -> None:
        """Let it end: it runs nothing."""
        self.retiring = True
        if self._transport and not self._transport.is_closing():
            self._transport.write_eof()

    def kill(self) -> None:
        """SIGKILL to it and to all that it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if not self._buried:
                os.killpg(self._process.pid, signal.SIGKILL)

    # -- what asyncio calls --------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Part of asyncio.Protocol."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        for one in self._frames.feed(data):
            self._heard(self, one)

    def connection_lost(self, error: Exception | None) -> None:
        """Part of asyncio.Protocol: it has ended, or has closed what it must not."""
        self._transport = None
        self.kill()
        if self._over or self._pidfd < 0:
            self._bury()

    def _ended(self) -> None:
        self._over = True
        self._loop.remove_reader(self._pidfd)
        self._loop.call_later(_LAST_WORDS_S if self._transport else 0, self._bury)

    def _bury(self) -> None:
        if self._buried:
            return
        self.kill()  # what it has left behind; its group cannot be another's before it is reaped
        self._buried = True
        status = self._process.wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)
        if self._transport:
            self._transport.abort()
        self._gone(self, signal.Signals(-status).name if status < 0 else f"exit status {status}")
