"""Functions run in threads: any library may block in them."""

import contextlib
import os
from queue import SimpleQueue
from threading import Thread

from worker import outcome
from worker.call import call
from worker.guard import Guard
from worker.inbox import Inbox
from worker.run import Run
from worker.stop import interrupt_for


class ThreadPool:
    """`size` threads. A thread whose function does not end when told is left to itself, and another takes its place.

    Threads are daemons and the child ends by os._exit: a function that never ends must not keep the process.
    """

    def __init__(self, size: int, max_result_bytes: int, inbox: Inbox) -> None:
        self._queue: SimpleQueue[Run] = SimpleQueue()
        self._max_result_bytes = max_result_bytes
        self._inbox = inbox
        for _ in range(size):
            self._add_thread()

    def warm(self) -> None:
        """It is."""

    def start(self, run: Run) -> None:
        """Call its function as soon as a thread takes it."""
        run.handle = Guard()
        self._queue.put(run)

    def interrupt(self, run: Run) -> None:
        """Raise an exception inside its function."""
        assert run.stop
        run.handle.interrupt(interrupt_for(run.stop))

    def leave(self, run: Run) -> bool:
        """Give its thread up; False if it has just ended by itself."""
        left: bool = run.handle.leave()
        if left:
            self._add_thread()
        return left

    def close(self) -> None:
        """Nothing lives outside this process."""

    def _add_thread(self) -> None:
        Thread(target=self._work, name="pool", daemon=True).start()

    def _work(self) -> None:
        _go_after_the_loop()
        while True:
            run = self._queue.get()
            end = call(run.task, run.args, run.kwargs, run.context, run.handle, self._max_result_bytes)
            kept: bool = run.handle.report()
            self._inbox.ended(run, outcome.ended(run, end))
            if not kept:
                return


def _go_after_the_loop() -> None:
    """Where both have something to do, let the child's loop stay on the core: it has the GIL, and a thread that woke and took its place
    could do no more than wait for that (SCHED_BATCH, sched(7)). Its share of the core stays the same."""
    with contextlib.suppress(AttributeError, OSError):  # not Linux; not allowed here
        if os.sched_getscheduler(0) == os.SCHED_OTHER:  # nobody chose another for the worker
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
