"""The slots of a child: what runs in them, thread or coroutine, and how it is told to end."""

import time

from worker.coroutines import Coroutines
from worker.inbox import Inbox
from worker.pool_thread import ThreadPool
from worker.run import Run
from worker.stop import Stop, interrupt_for


class Pool:
    """`size` slots. All methods are called by the child's loop; ends arrive in the inbox.

    `runs`: what is in the slots. `typical_s`: how long a function takes of late, in its thread's queue and out.
    """

    def __init__(self, size: int, max_result_bytes: int, inbox: Inbox) -> None:
        self.size = size
        self._threads = ThreadPool(size, max_result_bytes, inbox)
        self._coroutines = Coroutines(max_result_bytes, inbox)
        self._left = 0
        self.typical_s = 1.0
        self.runs: set[Run] = set()

    @property
    def free(self) -> int:
        """Slots in which nothing runs."""
        return self.size - len(self.runs)

    @property
    def worn(self) -> bool:
        """Whether so many functions were left running that the process should be replaced."""
        return self._left * 2 >= self.size

    @property
    def busy_until(self) -> float:
        """When the last of what runs will have timed out; 0: nothing runs."""
        return max((run.deadline for run in self.runs), default=0.0)

    def start(self, run: Run) -> None:
        """Call its function now."""
        self.runs.add(run)
        if run.on_loop:
            self._coroutines.start(run)
        else:
            self._threads.start(run)

    def stop(self, run: Run, why: Stop) -> None:
        """Tell its function to end, once."""
        if run.stop:
            return
        run.stop, run.stopped_at = why, time.monotonic()
        if run.on_loop:
            self._coroutines.interrupt(run)
        else:
            self._threads.interrupt(run, interrupt_for(why))

    def leave(self, run: Run) -> bool:
        """Give up waiting for its end, and free its slot; False if it has just ended: its end is in the inbox."""
        left = self._coroutines.leave(run) if run.on_loop else self._threads.leave(run)
        if left:
            self.runs.discard(run)
            self._left += 1
        return left

    def end(self, run: Run) -> None:
        """Its function ended: its slot is free."""
        self.runs.discard(run)
        self.typical_s += 0.1 * (time.monotonic() - run.began_at - self.typical_s)
