"""Coroutine functions run as tasks on one event loop, in a thread of its own that starts with the first of them."""

import asyncio
import contextlib
from threading import Thread

from millpond.task import running
from worker import outcome
from worker.call import End, end_if_forked, raised, returned
from worker.guard import Guard
from worker.inbox import Inbox
from worker.run import Run


class _Handle:
    """One coroutine on its way. `heard`: its loop has carried out the cancel that was asked for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.guard = Guard()
        self.task: asyncio.Task[End] | None = None
        self.heard = False

    def cancel(self) -> None:
        self.heard = True
        if self.task:
            self.task.cancel()


class Coroutines:
    """The loop's thread and what runs on it."""

    def __init__(self, max_result_bytes: int, inbox: Inbox) -> None:
        self._max_result_bytes = max_result_bytes
        self._inbox = inbox
        self._loop: asyncio.AbstractEventLoop | None = None

    def warm(self) -> None:
        """It is."""

    def start(self, run: Run) -> None:
        """Begin its coroutine with the loop's next turn."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            Thread(target=_turn, args=(self._loop,), name="coroutines", daemon=True).start()
        run.handle = _Handle(self._loop)
        self._loop.call_soon_threadsafe(self._begin, run)

    def interrupt(self, run: Run) -> None:
        """Cancel its asyncio task."""
        with contextlib.suppress(RuntimeError):  # its loop was given up, and is closed: all on it has ended
            run.handle.loop.call_soon_threadsafe(run.handle.cancel)

    def leave(self, run: Run) -> bool:
        """Give it up; False if it has just ended by itself."""
        left: bool = run.handle.guard.leave()
        if left and not run.handle.heard:
            self._give_up(run.handle.loop)
        return left

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Something blocks it: the next coroutine gets another."""
        if loop is self._loop:
            self._loop = None
            loop.call_soon_threadsafe(loop.stop)

    def _begin(self, run: Run) -> None:
        task = run.handle.loop.create_task(self._carry_out(run))
        run.handle.task = task
        task.add_done_callback(lambda task: self._report(run, task))

    def close(self) -> None:
        """Nothing lives outside this process."""

    async def _carry_out(self, run: Run) -> End:
        try:
            with running(run.context):
                value = await run.task.function(*run.args, **run.kwargs)
        except BaseException as error:
            end_if_forked(False)
            return raised(run.task, error)
        end_if_forked(True)
        return returned(run.task, value, self._max_result_bytes)

    def _report(self, run: Run, task: "asyncio.Task[End]") -> None:
        # Canceled before its first step, it never came to its own `except`.
        end = raised(run.task, asyncio.CancelledError()) if task.cancelled() else task.result()
        run.handle.guard.report()
        self._inbox.ended(run, outcome.ended(run, end))


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    """Turn until the loop is given up, and then until all on it has ended."""
    asyncio.set_event_loop(loop)
    given_up = False
    while not given_up or asyncio.all_tasks(loop):
        # A SystemExit in a task that a coroutine made leaves the loop; the other coroutines go on.
        with contextlib.suppress(BaseException):
            if given_up:
                loop.run_until_complete(asyncio.wait(asyncio.all_tasks(loop)))
            else:
                loop.run_forever()
                given_up = True
    loop.close()
