"""A child as its parent sees it: a process, the pipe to it, and the memory both have mapped."""

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
import time
from typing import Final

from millpond.settings import WorkerSettings
from worker.orders import Orders
from worker.pipe import Pipe
from worker.shared import Shared
from worker.standing import Cause
from worker.will import Will

_OVERDUE_S: Final = 5.0  # after a time-out that a child should enforce itself


class ChildProcess:
    """One child, from its start until it was reaped.

    `ready`: it has imported users' code. `leaving`: it claims no more and ends by itself; another may take its place. `cause`:
    why what it had begun came to no end, if it is killed.
    """

    def __init__(self, settings: WorkerSettings, worker: str, generation: int, alone: bool, confirmed_at: float) -> None:
        self.generation, self.alone = generation, alone
        self.ready = False
        self.leaving = ""
        self.cause: Cause = "died"
        self.silent_s = 0.0
        self._seen = (0.0, time.monotonic())
        self.shared = Shared.make()
        self.shared.confirmed_at, self.shared.due_at = confirmed_at, math.inf
        self.will = Will.make()
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.pipe = Pipe(ours)
        with theirs:
            self._process = _start(self._orders(settings, worker, theirs.fileno()))

    def _orders(self, settings: WorkerSettings, worker: str, pipe: int) -> Orders:
        return Orders(
            worker=worker,
            generation=self.generation,
            alone=self.alone,
            parent=os.getpid(),
            pipe=pipe,
            shared=self.shared.fd,
            will=self.will.fd,
            redis_url=settings.redis_url,
            queues=settings.queues,
            tasks=settings.tasks,
            slots=1 if self.alone else settings.concurrency,
            pool=settings.pool,
            runner_jobs=settings.runner_jobs,
            runner_memory_mb=settings.runner_memory_mb,
            prefetch=settings.prefetch,
            max_result_bytes=settings.max_result_bytes,
            max_log_lines=settings.max_log_lines,
            max_log_bytes=settings.max_log_bytes,
            measured=settings.metrics_port > 0,
            log_level=settings.log_level,
            failpoint=settings.failpoint,
        )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit status, negative for a signal, once it ended; it is reaped then."""
        return self._process.poll()

    def kill(self) -> None:
        """SIGKILL; its end is seen by `ended`."""
        self._process.send_signal(signal.SIGKILL)

    def watch(self, now: float) -> None:
        """Count for how long its loop has not turned. A gap in the parent's own turns counts for little: it was paused itself."""
        ticked_at, looked_at = self._seen
        moved = self.shared.ticked_at != ticked_at
        self.silent_s = 0.0 if moved or not self.ready else self.silent_s + min(now - looked_at, 1.0)
        self._seen = (self.shared.ticked_at, now)

    def overdue(self, now: float) -> bool:
        """Whether something that it said it runs is over its time, and over what it gets to unwind."""
        return now > self.shared.due_at + _OVERDUE_S

    def close(self) -> None:
        """Give its pipe, memory and will back."""
        self.will.close()
        self.pipe.close()
        self.shared.close()


def _start(orders: Orders) -> subprocess.Popen[bytes]:
    # The last word is for who looks at a list of processes.
    command = [sys.executable, "-m", "worker.entry", f"{orders.worker}:{orders.generation}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=(orders.pipe, orders.shared, orders.will))
    assert process.stdin
    with contextlib.suppress(BrokenPipeError), process.stdin as ear:  # it may have ended already; `ended` tells
        ear.write(orders.dump())
    return process
