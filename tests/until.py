"""Waiting in tests: on a condition, with a deadline, never for a fixed time."""

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from tests.pace import within

T = TypeVar("T")

_never = Event()


def until(condition: Callable[[], T], timeout_s: float = 10.0, message: str = "", every_s: float = 0.02) -> T:
    """Call `condition` until it answers something true, and answer that; an AssertionError with `message` after `timeout_s`, times
    the machine's slack."""
    deadline = time.monotonic() + within(timeout_s)
    while not (answer := condition()):
        if time.monotonic() > deadline:
            awaited = message or getattr(condition, "__name__", repr(condition))
            raise AssertionError(f"not within {within(timeout_s):g} s: {awaited} (last: {answer!r})")
        _never.wait(every_s)
    return answer


def holds(condition: Callable[[], object], for_s: float, message: str = "", every_s: float = 0.05) -> None:
    """Require that `condition` stays true for `for_s` seconds: for what must not happen."""
    deadline = time.monotonic() + for_s
    while time.monotonic() < deadline:
        assert condition(), message or f"stopped holding: {getattr(condition, '__name__', condition)}"
        _never.wait(every_s)
