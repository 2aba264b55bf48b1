"""The parent's children: one that serves the queues, beside it at times a one-slot child, and those that are on their way out."""

import contextlib
import os
from pathlib import Path
from typing import Final

from millpond import logs
from millpond.settings import WorkerSettings
from worker.measures import Measures
from worker.process import ChildProcess
from worker.standing import Standing

HUNG_S: Final = 30.0  # a loop that did not turn for so long: a function keeps the GIL
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0  # before a child that ended while it loaded is started again
_REFUSED: Final = 2  # the status of a child that refuses users' modules: the next would refuse them too
_MOST_LEAVING: Final = 3  # hung or worn children beside the one that works; each costs a process's memory

log = logs.get("worker.crew")


class Crew:
    """Starts, watches, replaces and reaps them. `refused`: the first child refused users' modules; there is nothing to run."""

    def __init__(self, settings: WorkerSettings, worker: str, standing: Standing, measures: Measures) -> None:
        self._settings, self._worker, self._standing, self._measures = settings, worker, standing, measures
        self._pause_s = _FIRST_PAUSE_S
        self._start_at = 0.0
        self._spare: int | None = None  # a generation whose child ended before it could claim
        self.children: list[ChildProcess] = []
        self._served = False
        self.draining = self.refused = False

    def live(self) -> int | None:
        """A generation that is live in Redis."""
        return next((child.generation for child in self.children if not child.leaving), self._spare)

    def hear(self) -> None:
        """Take what children said."""
        for child in self.children:
            self._hear(child)

    def _hear(self, child: ChildProcess) -> None:
        with contextlib.suppress(EOFError):  # its end is seen by `reap`
            for words in child.pipe.hear():
                match words:
                    case ["ready"]:
                        child.ready = self._served = True
                        self._pause_s = _FIRST_PAUSE_S
                    case ["leaving", reason]:
                        child.leaving = child.leaving or reason
                    case ["counts", told]:
                        self._measures.add(told)

    def reap(self, now: float) -> None:
        """Bury the dead, and owe what they held."""
        for child in self.children[:]:
            status = child.ended()
            if status is None:
                continue
            self._hear(child)
            self.children.remove(child)
            ends = child.will.read()
            child.close()
            log.log(20 if status == 0 else 30, "child_ended", pid=child.pid, generation=child.generation, status=status)
            if child.ready:
                if status != 0 and child.cause == "died":
                    self._measures.child_died()
                self._standing.owe(child.generation, "retire", "stopped" if status == 0 else child.cause, ends)
            else:
                self.refused = self.refused or (status == _REFUSED and not self._served)
                self._spare = child.generation
                self._start_at = now + self._pause_s
                self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """As a container's first process it inherits what a killed child leaves: runners, and what jobs have started."""
        own = {child.pid for child in self.children}
        with contextlib.suppress(OSError):  # another system than Linux, or one that is gone already
            pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for pid in {int(one) for one in pids} - own:
                os.waitpid(pid, os.WNOHANG)

    def confirm(self) -> None:
        """Tell the children when Redis last confirmed this worker's life."""
        for child in self.children:
            child.shared.confirmed_at = self._standing.confirmed_at

    def watch(self, now: float) -> None:
        """Take from a hung child what it has not begun, and the right to claim; kill it when something that it runs is over its time."""
        for child in self.children:
            child.watch(now)
            if child.silent_s > HUNG_S and not child.leaving:
                log.error("child_hangs", pid=child.pid, generation=child.generation, silent_s=round(child.silent_s))
                child.leaving = "hung"
                self._standing.owe(child.generation, "unmarked", "")
            if child.silent_s > HUNG_S and child.overdue(now):
                child.kill()

    def staff(self, now: float) -> None:
        """Start what should run and does not."""
        if self.draining or now < self._start_at or not self._standing.heard:
            return
        if sum(bool(child.leaving) for child in self.children) >= _MOST_LEAVING:
            return
        working = {child.alone for child in self.children if not child.leaving}
        if False not in working:
            self._start(alone=False)
        elif self._standing.alone and True not in working:
            self._start(alone=True)

    def _start(self, alone: bool) -> None:
        generation = self._spare or self._standing.enlist()
        self._spare = None
        if generation is not None:
            child = ChildProcess(self._settings, self._worker, generation, alone, self._standing.confirmed_at)
            self.children.append(child)
            log.info("child_started", pid=child.pid, generation=generation, alone=alone)

    def forgotten(self) -> None:
        """Redis does not list this worker any more, so its jobs run elsewhere: end what runs here; others take its place."""
        self._spare = None
        self.kill()

    def say(self, *words: str) -> None:
        """Tell every child."""
        for child in self.children:
            child.pipe.say(*words)

    def drain(self) -> None:
        """Have every child finish what it runs and leave. One that still loads has nothing to finish."""
        self.draining = True
        self.say("drain")
        for child in self.children:
            if not child.ready:
                child.kill()

    def kill(self) -> None:
        """SIGKILL to all."""
        for child in self.children:
            child.cause = "stopped" if self.draining else "died"
            child.kill()
