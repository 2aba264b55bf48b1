"""What happens to the child while its loop waits: ended functions, what they say, its parent's words. Any thread may put in."""

import contextlib
import select
import socket
from collections import deque
from dataclasses import dataclass

from millpond.moves import Outcome
from worker.run import Run


@dataclass(frozen=True, slots=True)
class Ended:
    """A function ended."""

    run: Run
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Spoke:
    """A running function said something, after it had said nothing new."""

    run: Run


@dataclass(frozen=True, slots=True)
class Died:
    """The process that ran a function ended, by itself. `how`: a signal's name or an exit status. `alone`: nothing else ran in it."""

    run: Run
    how: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A line from the parent."""

    words: list[str]


Message = Ended | Died | Spoke | Told


class Inbox:
    """A queue, and a bell for who sleeps before it. Where nobody does, a put is no system call and gives up no GIL: many short
    functions end before the loop looks once."""

    def __init__(self) -> None:
        self._messages: deque[Message] = deque()
        self._bell, self._cord = socket.socketpair()
        self._bell.setblocking(False)
        self._cord.setblocking(False)
        self._asleep = False

    def ended(self, run: Run, outcome: Outcome) -> None:
        """Tell of an ended function."""
        self.put(Ended(run, outcome))

    def put(self, message: Message) -> None:
        """Tell of anything."""
        self._messages.append(message)
        if self._asleep:
            self._asleep = False  # a task's interrupt between here and the bell costs one rest of the loop, half a second
            with contextlib.suppress(BlockingIOError):  # it has been ringing long enough
                self._cord.send(b"\0")

    def wait(self, timeout_s: float, *others: socket.socket | int | None) -> None:
        """Until something is here, or there is something to read from one of the `others`, sockets or descriptors; at most so long."""
        if timeout_s <= 0:
            return
        self._asleep = True
        if not self._messages:  # looked at after it was said: who puts in sees one or the other
            poll = select.poll()
            for one in (self._bell, *others):
                if one is not None:
                    poll.register(one, select.POLLIN)
            poll.poll(timeout_s * 1000)
            with contextlib.suppress(BlockingIOError):
                self._bell.recv(64)
        self._asleep = False

    def take(self, timeout_s: float = 0.0) -> list[Message]:
        """All that is here; waits up to `timeout_s` for the first."""
        self.wait(timeout_s)
        messages: list[Message] = []
        with contextlib.suppress(IndexError):
            while True:
                messages.append(self._messages.popleft())
        return messages

    def close(self) -> None:
        """Nobody will take anything any more."""
        self._bell.close()
        self._cord.close()
