"""What running functions say of their progress, on its way to the jobs' hashes: of each the newest, at most once a second."""

from typing import Any, Final

from millpond import moves
from millpond.moves import Held
from worker.desk import Desk
from worker.held import Phase
from worker.run import Run
from worker.wire import Request

EVERY_S: Final = 1.0


class Reports:
    """Nothing depends on their arrival: what a lost connection swallowed is not said again."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._at = 0.0

    def requests(self, now: float) -> list[Request[Any]]:
        """The news of what runs, if it is time; those of what ended before its end is told."""
        told = [one.run for one in self._desk.ledger.of(Phase.ENDED) if one.run and one.run.news]
        if now >= self._at:
            self._at = now + EVERY_S
            told += [run for run in self._desk.pool.runs if run.news]
        if not told:
            return []
        return [Request(moves.report([_news(run) for run in told]), lambda _: None, waits=False)]


def _news(run: Run) -> tuple[Held, bytes]:
    news, run.news = run.news, b""
    return run.key, news
