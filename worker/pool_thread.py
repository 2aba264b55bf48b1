"""Functions run in threads: any library may block in them."""

from queue import SimpleQueue
from threading import Thread

from millpond.moves import Outcome
from millpond.task import running
from worker import outcome
from worker.guard import Guard
from worker.inbox import Inbox
from worker.run import Run
from worker.stop import Interrupt


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

    def start(self, run: Run) -> None:
        """Call its function as soon as a thread takes it."""
        run.handle = Guard()
        self._queue.put(run)

    def interrupt(self, run: Run, error: type[Interrupt]) -> None:
        """Raise `error` inside its function."""
        run.handle.interrupt(error)

    def leave(self, run: Run) -> bool:
        """Give its thread up; False if it has just ended by itself."""
        left: bool = run.handle.leave()
        if left:
            self._add_thread()
        return left

    def _add_thread(self) -> None:
        Thread(target=self._work, name="pool", daemon=True).start()

    def _work(self) -> None:
        while True:
            run = self._queue.get()
            end = self._carry_out(run)
            if not run.handle.report():
                return
            self._inbox.ended(run, end)

    def _carry_out(self, run: Run) -> Outcome:
        end: Outcome | None = None
        try:
            try:
                run.handle.open()
                with running(run.context):
                    value = run.task.function(*run.args, **run.kwargs)
                end = outcome.returned(run, value, self._max_result_bytes)
            except BaseException as error:
                end = outcome.raised(run, error)
            run.handle.close()
        except BaseException as late:
            # The interrupt came between the function's end and `close`. It was the only one: now `close` cannot fail.
            end = end or outcome.raised(run, late)
            run.handle.close()
        return end
