"""Calling a task's function, and what came of it: the same in a thread, in a runner process and in a greenlet."""

import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import starmap
from typing import Any, Final, Protocol

from millpond import codec
from millpond.errors import Invalid
from millpond.task import JobContext, Task, running

MAX_MESSAGE: Final = 2_000  # characters; an exception may carry a whole document
MAX_TRACEBACK: Final = 16_000  # characters, of its end, where the cause is


@dataclass(frozen=True, slots=True)
class Refused:
    """What it returned is no result: not JSON, or too large."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Raised:
    """Whatever it raised, SystemExit and MemoryError too. `again`: another attempt may mend it."""

    message: str
    trace: str
    again: bool


End = bytes | Refused | Raised  # bytes: what it returned, as JSON


class Brackets(Protocol):
    """Stands around a call: an interrupt is raised between `open` and `close` only, and at most one."""

    def open(self) -> None:
        """The call begins. Raises the interrupt if one was sent before."""

    def close(self) -> None:
        """The call is over. May be interrupted, by the one interrupt on its way; then it is called again."""


_forked = False


def _mark_forked() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_mark_forked)


def call(task: Task, args: Sequence[Any], kwargs: Mapping[str, Any], context: JobContext, brackets: Brackets, limit: int) -> End:
    """Call a task's function in this thread or greenlet; `limit`: bytes of a result. Raises nothing.

    The value goes from the function's return into `box` inside C code, where nothing can be raised between the two: what has
    returned is never taken for interrupted. A process that the function forked ends here.
    """
    box: list[Any] = []
    named = partial(task.function, **kwargs) if kwargs else task.function
    end: End | None = None
    try:
        try:
            brackets.open()
            with running(context):
                box.extend(starmap(named, (args,)))
        except BaseException as error:
            end = raised(task, error)
        brackets.close()
    except BaseException as late:
        end = end or raised(task, late)
        brackets.close()
    end_if_forked(bool(box))
    return returned(task, box[0], limit) if box else end or raised(task, RuntimeError())


def end_if_forked(good: bool) -> None:
    """End this process if a function forked it: it came back from that function instead of being a second worker."""
    if _forked:
        os._exit(0 if good else 1)


def returned(task: Task, value: object, limit: int) -> End:
    """The end of a function that returned."""
    try:
        return codec.encode_result(value, limit)
    except Invalid as error:
        return Refused(error.code, error.detail)
    except BaseException as error:  # no memory for it
        return raised(task, error)


def raised(task: Task, error: BaseException) -> Raised:
    """The end of a function that raised."""
    message = clean(f"{type(error).__name__}: {_text_of(error)}"[:MAX_MESSAGE])
    return Raised(message, clean(_trace_of(error)[-MAX_TRACEBACK:]), task.retries(error))


def clean(text: str) -> str:
    """Text that JSON and PostgreSQL can hold: no lone surrogates, no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def news(fraction: float | None, message: str) -> bytes:
    """What a function says of its progress, as it is kept."""
    return codec.render({"fraction": fraction, "message": clean(message)})


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:  # a user's __str__ may do anything
        return f"(its text raised {type(second).__name__})"


def _trace_of(error: BaseException) -> str:
    try:
        own = error.__traceback__.tb_next if error.__traceback__ else None  # without this module's own frame
        return "".join(traceback.format_exception(type(error), error, own, limit=-20))
    except BaseException as second:
        return f"(its traceback raised {type(second).__name__})"
