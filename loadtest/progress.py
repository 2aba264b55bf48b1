"""A bar on standard error, while a burst goes on and then while it waits for the record. It reads the journal, so that the processes
that send have nothing to do for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from loadtest.journal import Journal
from loadtest.plan import Plan
from loadtest.tally import Tally


@contextmanager
def answering(plan: Plan, shown: bool) -> Iterator[Callable[[], None]]:
    """Show how many requests are answered. What it gives is to be called for the bar to move."""
    succeeded = failed = 0
    news = Journal(plan.journal).follow()

    def show() -> None:
        nonlocal succeeded, failed
        for entry in next(news):
            succeeded += entry.success
            failed += not entry.success
        bar.update(task, completed=succeeded + failed, note=f"{succeeded} succeeded, {failed} failed")

    with _bar("answered", plan.requests, shown) as (bar, task):
        yield show if shown else _nothing


def _nothing() -> None:
    pass


@contextmanager
def recording(shown: bool) -> Iterator[Callable[[Tally], None]]:
    """Show how many jobs are on record. What it gives is to be called with each count."""

    def show(tally: Tally) -> None:
        bar.update(task, total=tally.accepted, completed=tally.recorded, note=f"{tally.duplicate} duplicate")

    with _bar("recorded", None, shown) as (bar, task):
        yield show


@contextmanager
def _bar(title: str, total: int | None, shown: bool) -> Iterator[tuple[Progress, TaskID]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(16),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    console = Console(stderr=True, force_terminal=shown)
    # Lines on standard output stay there, also where that is another place than standard error.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False, disable=not shown) as bar:
        yield bar, bar.add_task(title, total=total, note="")
