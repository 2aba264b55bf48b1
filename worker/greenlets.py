"""The inside of a gevent pool's one runner: a greenlet for each run, and one that hears the child.

Functions that wait give way to each other; one that computes, or waits inside a C library that gevent does not patch, holds up all.
"""

import os
import sys
from functools import partial
from typing import Any, Final

from gevent import Greenlet, GreenletExit, config, get_hub

from worker import errand
from worker.errand import Errand
from worker.frames import Link
from worker.stop import Stop, TaskCanceled, TaskTimeout, interrupt_for


class GreenletTimeout(TaskTimeout, GreenletExit):  # type: ignore[misc]
    """TaskTimeout, as gevent's own code knows the end of a greenlet."""


class GreenletCanceled(TaskCanceled, GreenletExit):  # type: ignore[misc]
    """TaskCanceled, likewise."""


_INTERRUPTS: Final = {TaskTimeout: GreenletTimeout, TaskCanceled: GreenletCanceled}


class Around:
    """Stands around one call: a greenlet is interrupted only where it gives way, so what is over is over."""

    def __init__(self) -> None:
        self.over = False

    def open(self) -> None:
        """The call begins."""

    def close(self) -> None:
        """The call is over."""
        self.over = True


class Greenlets:
    """`_running`: by execution, what runs, its brackets and its greenlet."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._running: dict[str, tuple[Errand, Around, Greenlet[Any]]] = {}

    def run(self) -> None:
        """Serve until the child closes the link. Raises EOFError then."""
        orders, tasks = errand.begin(self._link)
        get_hub().exception_stream = None  # what a task raises is in its outcome
        config.track_greenlet_tree = False  # who spawned whom, kept for each greenlet
        self._link.say("ready")
        while True:
            for head, body in self._link.hear():
                if head[0] == "run":
                    self._start(Errand(self._link, head, body, tasks, orders), orders.max_result_bytes)
                elif head[0] == "stop":
                    self._stop(*head[1:])

    def _start(self, one: Errand, limit: int) -> None:
        around = Around()
        greenlet = Greenlet(one.carry_out, around, limit)
        self._running[one.execution] = one, around, greenlet
        greenlet.link(partial(self._ended, one))
        greenlet.start()

    def _ended(self, one: Errand, greenlet: "Greenlet[Any]") -> None:
        del self._running[one.execution]
        # Stopped before its first step, it never came to its own `except`, and gevent answers what stopped it.
        one.tell(greenlet.value)

    def _stop(self, execution: str, why: str) -> None:
        if execution not in self._running:
            return
        one, around, greenlet = self._running[execution]
        one.stop = Stop(why)
        if not around.over:
            greenlet.kill(_INTERRUPTS[interrupt_for(one.stop)], block=False)
        self._link.say("told", execution)


def main() -> None:
    """Serve; end at once, whatever runs, when the child is gone or says so."""
    try:
        Greenlets(Link.inherited(int(sys.argv[1]))).run()
    except EOFError:
        os._exit(0)
    except BaseException:  # a runner that does not listen must not live
        errand.log.exception("runner_broke")
        os._exit(1)
