"""What a parent shows of its worker: its own counts, and those that its children tell."""

import importlib
from collections.abc import Iterable

from millpond.settings import WorkerSettings
from worker.process import ChildProcess


class Measures:
    """Where counts go. These go nowhere: for a worker without MILLPOND_METRICS_PORT."""

    def add(self, told: str) -> None:
        """A child's sums (`worker.counts`)."""

    def child_died(self) -> None:
        """A child ended that was not to."""

    def redis_lost(self) -> None:
        """The parent lost Redis."""

    def look(self, children: Iterable[ChildProcess], now: float) -> None:
        """The children as they are now."""


def measures(settings: WorkerSettings) -> Measures:
    """What these settings ask for, served already. Raises BadSetting where the port cannot be listened on."""
    if not settings.metrics_port:
        return Measures()
    # Its libraries are a fifth of the parent's memory.
    made: Measures = importlib.import_module("worker.exposed").Exposed(settings)
    return made
