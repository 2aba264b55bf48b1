"""The one interface of all that carries out runs: threads, runner processes, greenlets, the event loop."""

from typing import Protocol

from worker.run import Run


class Carrier(Protocol):
    """Called by the child's loop alone, and never blocks it. How each run ended arrives in the inbox, once."""

    def warm(self) -> None:
        """Make ready to start many at once: this is what most runs will need. Raises RuntimeError where that is impossible."""

    def start(self, run: Run) -> None:
        """Call its function as soon as may be."""

    def interrupt(self, run: Run) -> None:
        """Tell its function to end; `run.stop` says why. Once a run."""

    def leave(self, run: Run) -> bool:
        """End what did not end when told, by force. True: it cannot be forced and goes on, with its slot given to another; False:
        its end is in the inbox, or will be at once."""

    def close(self) -> None:
        """Nothing runs any more: give back what lives outside this process."""


class Turned(Carrier, Protocol):
    """A carrier without a thread of its own: the child's loop turns it when its bell rings, and when it is time."""

    @property
    def bell(self) -> int:
        """A descriptor, readable when there is something to do."""

    @property
    def next_at(self) -> float:
        """When there is something to do though the bell does not ring, on the monotonic clock; inf: never."""

    def turn(self) -> None:
        """Do all that can be done without waiting."""
