"""An asyncio loop without a thread: whoever has it turns it, and waits in its stead.

So the child's loop hears its runners itself. With a thread between them each job cost two changes of thread more, which on a busy
machine wait for a core.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from contextvars import Context
from selectors import DefaultSelector, SelectorKey
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TurnedLoop(asyncio.SelectorEventLoop):
    """`next_at`: when it has something to do though nothing has come, on the monotonic clock; inf: never."""

    def __init__(self) -> None:
        self._eyes = _Eyes(self)
        self.next_at = math.inf
        super().__init__(self._eyes)

    def call_soon(self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None) -> asyncio.Handle:
        """As in any loop."""
        self.next_at = 0.0
        return super().call_soon(callback, *args, context=context)

    def fileno(self) -> int:
        """What to wait on: readable when there is something to do."""
        return self._eyes.fileno()

    def turn(self) -> None:
        """Do all that can be done without waiting."""
        self._eyes.waits = False
        self.run_forever()

    def finish(self, what: Awaitable[T]) -> T:
        """Turn, and wait, until this is done."""
        self._eyes.waits = True
        return self.run_until_complete(what)


class _Eyes(DefaultSelector):
    """A selector that stops its loop instead of waiting."""

    def __init__(self, loop: TurnedLoop) -> None:
        super().__init__()
        self._loop = loop
        self.waits = True

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """As a selector does; `timeout` is 0 while the loop has more to do, None where it would wait for ever."""
        if self.waits:
            return super().select(timeout)
        found = super().select(0)
        if not found and timeout != 0:
            self._loop.next_at = math.inf if timeout is None else time.monotonic() + timeout
            self._loop.stop()
        return found
