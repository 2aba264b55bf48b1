"""A runner's side of one run, and what every runner does first, whichever way it then calls functions."""

import gc
import os
import resource
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Final, Self

import orjson

from millpond import loader, logs
from millpond.errors import BadSetting
from millpond.task import JobContext, Task
from worker import lifeline, overheard
from worker.call import Brackets, End, Refused, call, news, raised
from worker.frames import Frame, Link, frame
from worker.orders import Orders
from worker.stop import Stop
from worker.voice import LogLimits, Speaker

_PAGE_KB: Final = os.sysconf("SC_PAGE_SIZE") // 1024
_REPORTS_A_S: Final = 20  # what is said more often waits for the next second's first, or the end

log = logs.get("worker.runner")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerOrders:
    """What a runner is told first. `parent`: the child's pid. `memory_mb`: the most it may allocate; 0: any."""

    parent: int
    tasks: tuple[str, ...]
    max_result_bytes: int
    memory_mb: int
    log_level: str
    log_lines: int
    log_bytes: int

    @classmethod
    def of(cls, orders: Orders) -> Self:
        """For the runners of this process, which was told `orders` itself."""
        return cls(
            parent=os.getpid(),
            tasks=orders.tasks,
            max_result_bytes=orders.max_result_bytes,
            memory_mb=orders.runner_memory_mb,
            log_level=orders.log_level,
            log_lines=orders.max_log_lines,
            log_bytes=orders.max_log_bytes,
        )

    def dump(self) -> dict[str, Any]:
        """As a part of a frame's head."""
        return asdict(self)


def begin(link: Link) -> tuple[RunnerOrders, dict[str, Task]]:
    """Hear the orders and load users' modules under them. Ends the process where they are refused."""
    frames: list[Frame] = []
    while not frames:
        frames = list(link.hear())
    orders = RunnerOrders(**frames[0][0][1])
    lifeline.die_with_parent(orders.parent)
    logs.configure("worker", orders.log_level)
    if orders.memory_mb:
        limit = orders.memory_mb * 1_048_576
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    try:
        tasks = loader.load(orders.tasks)
    except BadSetting as error:
        log.error("tasks_refused", error=error.detail)
        os._exit(2)
    overheard.listen()
    resident_kb()  # opens its file before any function runs
    gc.collect()
    gc.freeze()  # what was imported stays: no collection need look at it again
    return orders, tasks


class Errand:
    """One run as its runner sees it. `stop`: why it was told to end."""

    def __init__(self, link: Link, head: list[Any], body: bytes, tasks: Mapping[str, Task], orders: RunnerOrders) -> None:
        _, self.execution, name, self._known = head
        self._link, self._task = link, tasks[name]
        self._args, self._kwargs = orjson.loads(body)
        self.stop: Stop | None = None
        self._voice = Speaker(LogLimits(orders.log_lines, orders.log_bytes), time.monotonic(), self._tell_lines)
        self._news = b""
        self._second, self._told = 0.0, 0

    def carry_out(self, brackets: Brackets, limit: int) -> End:
        """Call its function."""
        context = JobContext(**self._known, report=self._report, voice=self._voice, is_stopped=self._is_stopped)
        return call(self._task, self._args, self._kwargs, context, brackets, limit)

    def tell(self, end: End | BaseException) -> None:
        """Say how it ended; an exception: it never began to be called."""
        if isinstance(end, BaseException):
            end = raised(self._task, end)
        self._voice.close()
        if self._voice.has_news:
            self._tell_lines()
        self._tell_news()
        head = ("ended", self.execution, resident_kb())
        if isinstance(end, bytes):
            self._link.say(*head, "returned", body=end)
        elif isinstance(end, Refused):
            self._link.say(*head, "refused", end.code, end.detail)
        else:
            self._link.say(*head, "raised", end.message, end.trace, end.again)

    def _is_stopped(self) -> bool:
        return self.stop is not None

    def _tell_lines(self) -> None:
        self._link.say_later(self._lines)  # threads of the function may all speak, but one may take

    def _lines(self) -> bytes:
        rows = self._voice.take().rows
        return frame("said", self.execution, self._voice.dropped, body=rows) if rows else b""

    def _report(self, fraction: float | None, message: str) -> None:
        self._news = news(fraction, message)
        now = time.monotonic()
        if now - self._second > 1:
            self._second, self._told = now, 0
        if self._told < _REPORTS_A_S:
            self._told += 1
            self._tell_news()

    def _tell_news(self) -> None:
        if self._news:
            self._link.say("report", self.execution, body=self._news)
            self._news = b""


@cache
def _statm() -> int:
    return os.open("/proc/self/statm", os.O_RDONLY)


def resident_kb() -> int:
    """Memory of this process that is in use now; where the kernel does not tell, the most that ever was."""
    try:
        return int(os.pread(_statm(), 100, 0).split()[1]) * _PAGE_KB
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024  # bytes on macOS
