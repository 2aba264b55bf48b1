"""Raising an exception inside a function that runs in another thread, and never outside it."""

import ctypes
from threading import Lock, get_ident

from worker.stop import Interrupt


def _raise_in(thread: int, error: type[Interrupt] | None) -> None:
    """Have that thread raise `error` soon; None (a NULL pointer, not Python's None): take back what it has not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error) if error else None)


class Guard:
    """Stands around one call. At most one interrupt is sent, and none arrives after `close` has returned.

    CPython raises it between two bytecodes: not inside a blocking C call, such as time.sleep, before that returns.
    """

    __slots__ = ("_left", "_lock", "_over", "_reported", "_sent", "_thread")

    def __init__(self) -> None:
        self._lock = Lock()
        self._thread: int | None = None
        self._sent: type[Interrupt] | None = None
        self._over = self._left = self._reported = False

    def open(self) -> None:
        """This thread begins the call. Raises the interrupt if one was sent before."""
        with self._lock:
            if self._sent:
                raise self._sent
            self._thread = get_ident()

    def interrupt(self, error: type[Interrupt]) -> None:
        """Raise `error` inside the call, from another thread; nothing if one was sent or the call is over."""
        with self._lock:
            if self._sent or self._over:
                return
            self._sent = error
            if self._thread is not None:
                _raise_in(self._thread, error)

    def close(self) -> None:
        """The call is over. May itself be interrupted, by the one interrupt on its way; then call it again."""
        with self._lock:
            self._over = True
            if self._sent and self._thread is not None:
                _raise_in(self._thread, None)

    def leave(self) -> bool:
        """Give its thread up; False if it has reported already."""
        with self._lock:
            self._left = not self._reported
            return self._left

    def report(self) -> bool:
        """Whether its thread was not given up; then it counts as reported."""
        with self._lock:
            self._reported = not self._left
            return self._reported
