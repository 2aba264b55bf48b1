"""A child must not outlive its parent: nobody would refresh its liveness, and another worker would run its jobs beside it."""

import ctypes
import os
import signal
import sys
from threading import Thread

from worker.inbox import Inbox, Told
from worker.pipe import Pipe

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends; end at once if the parent has ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def listen(pipe: Pipe, inbox: Inbox) -> None:
    """Carry the parent's words to the inbox, from a thread of its own; end the process when the parent's end is closed."""
    Thread(target=_listen, args=(pipe, inbox), name="lifeline", daemon=True).start()


def _listen(pipe: Pipe, inbox: Inbox) -> None:
    try:
        while True:
            for words in pipe.hear():
                inbox.put(Told(words))
    except EOFError:
        os._exit(1)
