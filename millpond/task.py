"""Tasks: functions that run as jobs, and what such a function can ask about the job it runs for.

    from millpond import task, current_job

    @task(timeout_s=60, max_attempts=3)
    def resize(path: str, width: int = 100) -> dict:
        current_job().progress(0.5, "half way")
        ...

A decorated function stays a plain function. Its arguments arrive as JSON gave them: annotations are checked before a job is
accepted, and convert nothing.
"""

import inspect
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar, get_args, overload

from millpond.errors import BadSetting
from millpond.joblog import LEVELS

F = TypeVar("F", bound=Callable[..., Any])
Rerun = Literal["always", "never"]
Errors = type[BaseException] | tuple[type[BaseException], ...]
Pool = Literal["thread", "process", "gevent"]

QUEUE_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
TASK_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
TAG_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
MAX_AT_ONCE: Final = 10_000  # jobs of one gate, running or begun within a second
MIN_RATE: Final = 1 / 86_400  # a start a day
MAX_SECONDS: Final = 10 * 366 * 86_400  # ten years: a longer time is a mistake in the unit, and must still fit a date
DEFAULT_TIMEOUT_S: Final = 180.0  # RQ's (rq 3.0: defaults.py), where neither task nor submission says
MAX_MESSAGE: Final = 500  # characters of a progress message: it is read on a screen, and written at every step


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A registered function and how its jobs run unless a submission says otherwise.

    `timeout_s`: of one attempt. `max_attempts` bounds failures (exceptions and time-outs). The delay before attempt n + 1 is
    backoff_s * backoff_factor ** (n - 1), at most max_backoff_s, changed by at most the share `jitter` of itself. `rerun`
    "never": not begun a second time after its process died; it ends failed, `interrupted`. `pool`: what carries it out, whatever its
    worker's MILLPOND_POOL says; a coroutine function has the event loop. An exception is tried again if it is one of `retry_on` and
    none of `give_up_on`; a time-out counts as a TimeoutError. At most `concurrency` jobs run at once, and at most `rate_per_s` begin in
    any second (below 1: one start in so much longer), over all workers: of the task, or of each value of `limit_by`, which is
    ``tags.NAME`` or a parameter's name.
    """

    name: str
    function: Callable[..., Any] = field(repr=False)
    queue: str = "default"
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_attempts: int = 1
    backoff_s: float = 1
    backoff_factor: float = 2
    max_backoff_s: float = 300
    jitter: float = 0.1
    rerun: Rerun = "always"
    retry_on: Errors = Exception
    give_up_on: Errors = ()
    concurrency: int | None = None
    rate_per_s: float | None = None
    limit_by: str | None = None
    pool: Pool | None = None

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise BadSetting(f"Task {self.name!r}: " + "; ".join(faults) + ".")

    @property
    def path(self) -> str:
        """The function's import path, under which stock RQ producers know it."""
        return f"{self.function.__module__}.{self.function.__qualname__}"

    @property
    def is_coroutine(self) -> bool:
        """Whether it runs on an event loop."""
        return inspect.iscoroutinefunction(self.function)

    def retries(self, error: BaseException) -> bool:
        """Whether another attempt may mend what this one raised."""
        # By the class alone: isinstance may run code of the user's.
        kinds = type(error).__mro__
        return any(kind in kinds for kind in _listed(self.retry_on)) and not any(kind in kinds for kind in _listed(self.give_up_on))


def _faults(task: Task) -> Iterator[str]:
    rules = {
        "a name is a letter or _, then at most 127 letters, digits, '_', '.' or '-'": TASK_NAME.fullmatch(str(task.name)),
        f"queue {task.queue!r} is not {QUEUE_NAME.pattern}": QUEUE_NAME.fullmatch(str(task.queue)),
        "a generator cannot be a task": not _yields(task.function),
        "timeout_s is a number of seconds over 0": _is_number(task.timeout_s, above=0),
        "max_attempts is an integer from 1 to 1000": type(task.max_attempts) is int and 1 <= task.max_attempts <= 1000,
        "backoff_s is a number of seconds, 0 or more": _is_number(task.backoff_s),
        "backoff_factor is a number from 1 to 1000": _is_number(task.backoff_factor, least=1, most=1000),
        "max_backoff_s is a number of seconds, 0 or more": _is_number(task.max_backoff_s),
        "jitter is a number from 0 to 1": _is_number(task.jitter, most=1),
        'rerun is "always" or "never"': task.rerun in get_args(Rerun),
        "retry_on is an exception type or a tuple of them": _are_errors(task.retry_on),
        "give_up_on is an exception type or a tuple of them": _are_errors(task.give_up_on),
        f"concurrency is an integer from 1 to {MAX_AT_ONCE}, or None": task.concurrency is None or _is_count(task.concurrency),
        f"rate_per_s is an integer from 1 to {MAX_AT_ONCE}, a number from 1/86400 to 1, or None": task.rate_per_s is None
        or _is_count(task.rate_per_s)
        or _is_number(task.rate_per_s, least=MIN_RATE, most=1),
        "limit_by needs concurrency or rate_per_s": task.limit_by is None or task.concurrency is not None or task.rate_per_s is not None,
        'limit_by is "tags.NAME" or the name of a parameter': task.limit_by is None or _is_told(task.limit_by, task.function),
        'pool is "thread", "process", "gevent" or None': task.pool is None or task.pool in get_args(Pool),
        "a coroutine function runs on the event loop and in no pool": not (task.pool and task.is_coroutine),
    }
    return (rule for rule, holds in rules.items() if not holds)


def _yields(function: object) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _is_number(value: object, *, least: float = 0, above: float = -1, most: float = MAX_SECONDS) -> bool:
    return type(value) in (int, float) and above < value and least <= value <= most  # type: ignore[operator]


def _is_count(value: object) -> bool:
    return type(value) is int and 1 <= value <= MAX_AT_ONCE


def _listed(errors: Errors) -> tuple[type[BaseException], ...]:
    return errors if isinstance(errors, tuple) else (errors,)


def _are_errors(value: Any) -> bool:
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in _listed(value))


def _is_told(name: object, function: Callable[..., Any]) -> bool:
    """Whether every job tells what a limit goes by."""
    if not isinstance(name, str):
        return False
    if name.startswith("tags."):
        return TAG_NAME.fullmatch(name.removeprefix("tags.")) is not None
    found = inspect.signature(function).parameters.get(name)
    return found is not None and found.kind not in (found.VAR_POSITIONAL, found.VAR_KEYWORD)


_registered: dict[str, Task] = {}


def registered() -> Mapping[str, Task]:
    """All tasks of this process, by name."""
    return MappingProxyType(_registered)


@overload
def task(function: F, /) -> F: ...
@overload
def task(
    *,
    name: str | None = None,
    queue: str = "default",
    timeout_s: float = DEFAULT_TIMEOUT_S,
    max_attempts: int = 1,
    backoff_s: float = 1,
    backoff_factor: float = 2,
    max_backoff_s: float = 300,
    jitter: float = 0.1,
    rerun: Rerun = "always",
    retry_on: Errors = Exception,
    give_up_on: Errors = (),
    concurrency: int | None = None,
    rate_per_s: float | None = None,
    limit_by: str | None = None,
    pool: Pool | None = None,
) -> Callable[[F], F]: ...
def task(function: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
    """Register a function, or a coroutine function, as a task under its own name or `name`; answers the function itself.

    Options are the fields of `Task`. Raises BadSetting for a wrong option, or for a name that another function has.
    """

    def register(function: F) -> F:
        if not inspect.isfunction(function):
            raise BadSetting(f"Only a function can be a task, not {function!r}.")
        _add(Task(name=name or function.__name__, function=function, **options))
        return function

    return register if function is None else register(function)


def _add(new: Task) -> None:
    old = _registered.get(new.name)
    # A module that is imported again registers the same path again.
    if old and old.path != new.path:
        raise BadSetting(f"Two functions are called task {new.name!r}: {old.path} and {new.path}. Give one another name=.")
    _registered[new.name] = new


Report = Callable[[float | None, str], None]


class Voice:
    """Where the lines go that a job says; this one: nowhere. A worker's is `worker.voice.Speaker`."""

    def say(self, level: str, text: str) -> None:
        """Take a line."""

    def overhear(self, level: str, text: str) -> bool:
        """Take a line of `logging`; whether its handlers should have it, too."""
        return True

    def write(self, stream: str, text: str) -> None:
        """Take what was printed: whole lines, parts of them, many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContext:
    """The job that the calling code runs for. `deadline`: time.monotonic() at which it times out, or None."""

    id: str = ""
    task: str = ""
    attempt: int = 1
    run: int = 1
    owner: str = "public"
    tags: Mapping[str, str] = field(default_factory=dict)
    deadline: float | None = None
    report: Report = field(default=lambda fraction, message: None, repr=False)
    voice: Voice = field(default_factory=Voice, repr=False)
    is_stopped: Callable[[], bool] = field(default=lambda: False, repr=False)

    def should_stop(self) -> bool:
        """Whether it was told to end: canceled, stopped, or its time is over. A long task should look, clean up and return."""
        return self.is_stopped()

    @property
    def remaining_s(self) -> float | None:
        """Seconds until the time-out, never below 0; None where there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def progress(self, fraction: float | None = None, message: str = "") -> None:
        """Say how far the job is: a fraction from 0 to 1, a short message, or both. Raises ValueError for another fraction."""
        if fraction is not None and not 0 <= fraction <= 1:
            raise ValueError(f"fraction must be from 0 to 1, not {fraction!r}")
        self.report(fraction, message[:MAX_MESSAGE])

    def log(self, text: str, level: str = "info") -> None:
        """Add a line to the job's log, as `print` and `logging` do. Raises ValueError for a level that `logging` does not have."""
        if level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, not {level!r}")
        self.voice.say(level, text)


_current: ContextVar[JobContext] = ContextVar("millpond_job")
_nowhere = JobContext()


def current_job() -> JobContext:
    """The job that the calling code runs for. Outside a job: one with id "", whose progress and lines go nowhere, so that a task
    can be called as the plain function it is."""
    return _current.get(_nowhere)


@contextmanager
def running(job: JobContext) -> Iterator[None]:
    """Make `job` the current one inside the block, in this thread or asyncio task."""
    token = _current.set(job)
    try:
        yield
    finally:
        _current.reset(token)
