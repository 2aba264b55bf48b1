"""``python -m worker.runner FD``: a process that carries out one run at a time, in its main thread. Started by a child alone.

A signal interrupts the main thread also while it waits inside a system call. The child kills what does not end so: nothing else
runs here.
"""

import os
import signal
import sys
from queue import SimpleQueue
from threading import Thread, main_thread
from typing import Final

from worker import errand
from worker.errand import Errand
from worker.frames import Link
from worker.stop import Interrupt, Stop, interrupt_for

SIGNAL: Final = getattr(signal, "SIGRTMAX", signal.SIGUSR1)  # one that users' code is least likely to have a use for


class Alarm:
    """Stands around one call in the main thread; `interrupt` comes from another."""

    def __init__(self) -> None:
        self._open = False
        self._sent: type[Interrupt] | None = None

    def open(self) -> None:
        """The call begins. Raises the interrupt if one was sent before."""
        self._open = True
        self.ring()

    def interrupt(self, error: type[Interrupt]) -> None:
        """Raise `error` inside the call."""
        self._sent = error
        ident = main_thread().ident
        assert ident
        signal.pthread_kill(ident, SIGNAL)

    def ring(self) -> None:
        """Raise what was sent, once, if the call is not over. In the main thread."""
        if self._open and self._sent:
            self._open = False
            raise self._sent

    def close(self) -> None:
        """The call is over."""
        self._open = False


class Runner:
    """Two threads: this one hears the child, the main one calls functions."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._errands: SimpleQueue[tuple[Errand, Alarm]] = SimpleQueue()
        self._now: tuple[Errand, Alarm] | None = None
        signal.signal(SIGNAL, self._ring)

    def run(self) -> None:
        """Serve until the child closes the link."""
        self._orders, self._tasks = errand.begin(self._link)
        Thread(target=self._listen, name="listener", daemon=True).start()
        self._link.say("ready")
        while True:
            one, alarm = self._errands.get()
            one.tell(one.carry_out(alarm, self._orders.max_result_bytes))

    def _ring(self, *_: object) -> None:
        if self._now:
            self._now[1].ring()

    def _listen(self) -> None:
        try:
            while True:
                for head, body in self._link.hear():
                    if head[0] == "run":
                        self._now = Errand(self._link, head, body, self._tasks, self._orders), Alarm()
                        self._errands.put(self._now)
                    elif head[0] == "stop":
                        self._stop(*head[1:])
        except EOFError:
            os._exit(0)
        except BaseException:  # a runner that does not listen must not live
            errand.log.exception("runner_broke")
            os._exit(1)

    def _stop(self, execution: str, why: str) -> None:
        if self._now and self._now[0].execution == execution:
            one, alarm = self._now
            one.stop = Stop(why)
            alarm.interrupt(interrupt_for(one.stop))


if __name__ == "__main__":
    Runner(Link.inherited(int(sys.argv[1]))).run()
