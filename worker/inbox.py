"""What happens to the child while its loop waits: ended functions, wake-ups, its parent's words. Any thread may put in."""

import contextlib
from dataclasses import dataclass
from queue import Empty, SimpleQueue

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


class Woken:
    """A token: work may wait in a queue."""


@dataclass(frozen=True, slots=True)
class Told:
    """A line from the parent."""

    words: list[str]


Message = Ended | Died | Spoke | Woken | Told


class Inbox:
    """One C queue: a put neither blocks nor gives up the GIL, so many short functions end before the loop looks once."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message] = SimpleQueue()

    def ended(self, run: Run, outcome: Outcome) -> None:
        """Tell of an ended function."""
        self._queue.put(Ended(run, outcome))

    def put(self, message: Message) -> None:
        """Tell of anything."""
        self._queue.put(message)

    def take(self, timeout_s: float) -> list[Message]:
        """All that is here; waits up to `timeout_s` for the first."""
        try:
            first = self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except Empty:
            return []
        messages = [first]
        with contextlib.suppress(Empty):
            while True:
                messages.append(self._queue.get_nowait())
        return messages
