"""Functions run in runner processes: one at a time in each of a process pool's, all in the one of a gevent pool."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from millpond import codec, logs
from worker import outcome
from worker.call import End, Raised, Refused
from worker.errand import RunnerOrders
from worker.frames import Frame, frame
from worker.inbox import Died, Inbox
from worker.run import Run
from worker.runner_process import RunnerProcess
from worker.stop import UNWIND_S
from worker.turned import TurnedLoop

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before a runner is started again that ended while it loaded
_HEAR_S: Final = 5.0  # what a runner of many gets to hear that one must end: on a crowded machine it may be slow, and all die with it
_CLOSE_S: Final = 1.0  # for idle runners to end by themselves

log = logs.get("worker.runners")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a pool's runners are: `module` to execute, how many at most, how many runs at once in each; of the latter two, one is 1."""

    module: str
    most: int
    room: int


@dataclass(frozen=True, slots=True)
class Wear:
    """When a runner is replaced between jobs: after so many, or when it holds so much memory; 0: never."""

    jobs: int
    memory_mb: int


class Runners:
    """A turned Carrier. It speaks with the processes by an asyncio loop, which calls all but the first methods."""

    def __init__(self, kind: Kind, orders: RunnerOrders, wear: Wear, inbox: Inbox) -> None:
        self._kind, self._orders, self._wear, self._inbox = kind, orders.dump(), wear, inbox
        self._waiting: deque[Run] = deque()
        self._runners: list[RunnerProcess] = []  # those not yet gone
        self._wanted = 0  # how many there should be
        self._start_at, self._pause_s = 0.0, _FIRST_PAUSE_S
        self._closing = False
        self._empty = asyncio.Event()
        self._loop = TurnedLoop()
        self._first: asyncio.Future[None] = self._loop.create_future()

    # -- called by the child's loop -------------------------------------------------------------------------------------------

    def warm(self) -> None:
        """Start all runners, and wait until the first is ready. Raises RuntimeError if it ends before."""
        self._loop.call_soon(self._want, self._kind.most)
        self._loop.finish(self._first)

    def start(self, run: Run) -> None:
        """Give it to a runner; its clock starts then."""
        run.wait()
        if self._kind.room > 1:
            run.unwind_s = _HEAR_S
        self._waiting.append(run)
        self._loop.call_soon(self._match)

    def interrupt(self, run: Run) -> None:
        """Have its runner raise an exception inside its function."""
        self._loop.call_soon(self._tell, run)

    def leave(self, run: Run) -> bool:
        """Kill its runner, unless that runs others and has told this one to end: then it is left to itself."""
        if self._kind.room > 1 and isinstance(run.handle, _Given) and run.handle.told:
            self._loop.call_soon(self._give_up, run)
            return True
        self._loop.call_soon(self._end, run)
        return False

    def close(self) -> None:
        """End all runners and wait for that."""
        self._loop.call_soon(self._close)
        with contextlib.suppress(TimeoutError):
            self._loop.finish(asyncio.wait_for(self._empty.wait(), 2 * _CLOSE_S))

    @property
    def bell(self) -> int:
        """Readable when a runner has spoken or ended."""
        return self._loop.fileno()

    @property
    def next_at(self) -> float:
        """When to turn though no bell rang."""
        return self._loop.next_at

    def turn(self) -> None:
        """Speak with the runners: tell what they were to be told, hear what they said."""
        self._loop.turn()

    # -- runs -----------------------------------------------------------------------------------------------------------------

    def _match(self) -> None:
        """Give what waits to runners with room, in one write to each; want another where there is none."""
        given: dict[RunnerProcess, list[bytes]] = {}
        while self._waiting and (runner := self._with_room()):
            given.setdefault(runner, []).append(self._give(self._waiting.popleft(), runner))
        for runner, frames in given.items():
            runner.send(b"".join(frames))
        if self._waiting:
            self._want(min(self._kind.most, len(self._waiting) + sum(bool(one.runs) for one in self._runners)))

    def _with_room(self) -> RunnerProcess | None:
        return next((one for one in self._runners if one.ready and not one.retiring and one.busy < self._kind.room), None)

    def _give(self, run: Run, runner: RunnerProcess) -> bytes:
        run.begin()
        run.handle = _Given(runner)
        runner.runs[run.claimed.execution] = run
        return frame("run", run.claimed.execution, run.task.name, run.known, body=codec.render([run.args, run.kwargs]))

    def _tell(self, run: Run) -> None:
        if run in self._waiting:
            self._waiting.remove(run)
            self._inbox.ended(run, outcome.stopped(run))
        elif run.claimed.execution in run.handle.runner.runs:
            run.handle.runner.send(frame("stop", run.claimed.execution, run.stop))

    def _end(self, run: Run) -> None:
        if run.handle and run.claimed.execution in run.handle.runner.runs:
            run.handle.runner.kill()

    def _give_up(self, run: Run) -> None:
        if run.claimed.execution in run.handle.runner.runs:
            run.handle.runner.left.add(run.claimed.execution)
            self._match()

    # -- runners --------------------------------------------------------------------------------------------------------------

    def _want(self, count: int) -> None:
        self._wanted = max(self._wanted, count)
        self._staff()

    def _staff(self) -> None:
        """Start what is missing."""
        while not self._closing and self._loop.time() >= self._start_at and sum(not one.retiring for one in self._runners) < self._wanted:
            runner = RunnerProcess(self._heard, self._gone)
            try:
                runner.start(self._kind.module, self._orders)
            except OSError as error:
                log.error("runner_not_started", error=str(error))
                return self._staff_later()
            self._runners.append(runner)
        return None

    def _staff_later(self) -> None:
        self._start_at = self._loop.time() + self._pause_s
        self._loop.call_at(self._start_at, self._staff)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def _heard(self, runner: RunnerProcess, said: Frame) -> None:
        match said:
            case ["ready"], _:
                runner.ready, self._pause_s = True, _FIRST_PAUSE_S
                if not self._first.done():
                    self._first.set_result(None)
                self._match()
            case ["told", execution], _:
                if run := runner.runs.get(execution):
                    run.handle.told, run.unwind_s = True, UNWIND_S
            case ["report", execution], news:
                if (run := runner.runs.get(execution)) and run.voice:
                    run.voice.progress(news)
            case ["said", execution, dropped], rows:
                if (run := runner.runs.get(execution)) and run.voice:
                    run.voice.relay(rows, dropped)
            case ["ended", execution, resident_kb, *how], result:
                self._ended(runner, execution, _end_of(how, result))
                self._look_after(runner, resident_kb)

    def _ended(self, runner: RunnerProcess, execution: str, end: End) -> None:
        if run := runner.runs.pop(execution, None):
            runner.left.discard(execution)
            runner.served += 1
            self._inbox.ended(run, outcome.ended(run, end))

    def _look_after(self, runner: RunnerProcess, resident_kb: int) -> None:
        """Replace it if it is worn; else it may take the next."""
        served_all = 0 < self._wear.jobs <= runner.served
        if not runner.retiring and (served_all or 0 < self._wear.memory_mb * 512 < resident_kb):
            log.info("runner_retires", pid=runner.pid, served=runner.served, resident_kb=resident_kb)
            runner.retiring = True
            self._staff()
        if runner.retiring and not runner.runs:
            runner.close()
        self._match()

    def _gone(self, runner: RunnerProcess, how: str) -> None:
        self._runners.remove(runner)
        alone = len(runner.runs) == 1
        for run in runner.runs.values():
            if run.stop:
                self._inbox.ended(run, outcome.stopped(run))
            else:
                log.warning("runner_died", pid=runner.pid, how=how, job_id=run.claimed.id, alone=alone)
                self._inbox.put(Died(run, how, alone))
        if not runner.ready and not self._closing:
            log.error("runner_not_ready", pid=runner.pid, how=how)
            if not self._first.done():
                self._first.set_exception(RuntimeError(f"The first runner died while it loaded: {how}."))
            self._staff_later()
        if self._closing and not self._runners:
            self._empty.set()
        self._staff()

    def _close(self) -> None:
        self._closing = True
        for runner in self._runners:
            runner.close()
            self._loop.call_later(_CLOSE_S, runner.kill)
        if not self._runners:
            self._empty.set()


@dataclass(slots=True)
class _Given:
    """Where a run is. `told`: its runner has raised what ends it."""

    runner: RunnerProcess
    told: bool = False


def _end_of(how: list[Any], result: bytes) -> End:
    match how:
        case ["returned"]:
            return result
        case ["refused", code, detail]:
            return Refused(code, detail)
        case [_, message, trace, again]:
            return Raised(message, trace, again)
    raise ValueError(how)
