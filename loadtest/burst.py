"""The article's load script, grown up: many processes that send at once, and a count of what became of it all.

Closed loop: each process sends again when it was answered. Open loop (`Plan.per_s`): requests are due at fixed times, shared out in
turn; a process that is behind sends at once. A request's own time-out, and so its success, counts from its sending: the server is
not blamed for a sender that was late. Its latency counts from when it was due: what it would have waited is not left out.
"""

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from ctypes import c_double
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from loadtest.journal import Entry, Journal
from loadtest.plan import Plan
from loadtest.senders import Sender, sender
from loadtest.tally import Record, Tally, count
from millpond.client import ApiError, Client

_START_S = 120.0  # for all processes to be there
_POLL_S = 0.5
_SHOW_S = 0.2
_CLOCKS_S = 300.0  # how far this host's clock may be from Redis's when jobs are looked for by time


def send_all(plan: Plan, show: Callable[[], None] = lambda: None) -> list[Entry]:
    """Send every request of the plan, each process its share one after the other, and answer the journal. `show` is called again and
    again meanwhile, and once at the end."""
    context = _context()
    start = _Start(context, plan.processes)
    Journal(plan.journal).clear()
    processes = [context.Process(target=_send_share, args=(plan, number, start)) for number in range(plan.processes)]
    for process in processes:
        process.start()
    _await(processes, show)
    if failed := [process.exitcode for process in processes if process.exitcode]:
        raise RuntimeError(f"{len(failed)} of the {plan.processes} processes ended with {set(failed)}")
    return Journal(plan.journal).read()


def _context() -> ForkServerContext:
    """Processes forked from one that has imported everything and has no threads: 100 start in a second and share its memory."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["loadtest.burst"])
    return context


class _Start:
    """The moment when the burst begins, one for all its processes: when the last of them is there."""

    def __init__(self, context: ForkServerContext, processes: int) -> None:
        self._moment: c_double = context.Value("d", lock=False)
        self._barrier = context.Barrier(processes, partial(_set_to_now, self._moment))

    def wait(self) -> float:
        """Wait for the others; the moment on the monotonic clock, which is one for all processes of a machine."""
        self._barrier.wait(_START_S)
        return self._moment.value


def _set_to_now(moment: c_double) -> None:
    moment.value = time.monotonic()


def _await(processes: Sequence[ForkServerProcess], show: Callable[[], None]) -> None:
    while running := [process.sentinel for process in processes if process.exitcode is None]:
        wait(running, _SHOW_S)
        show()


def _send_share(plan: Plan, number: int, start: _Start) -> None:
    one = sender(plan)
    began = start.wait()
    with Journal(plan.journal).writer() as journal:
        for n in plan.share(number):
            journal.add(send_one(plan, one, n, began))


def send_one(plan: Plan, one: Sender, n: int, began: float) -> Entry:
    """Send a request when it is due, at once if that is past; `began` is the beginning on the monotonic clock."""
    due_s = plan.due_s(n)
    if due_s is not None:
        time.sleep(max(0.0, began + due_s - time.monotonic()))
    key = f"burst-{n}"
    sent_at = datetime.now(UTC).isoformat()
    sent_s = time.monotonic() - began
    answer = one.send(n, key)
    seconds = time.monotonic() - began - sent_s
    success = 200 <= answer.status < 300 and not answer.error and seconds <= plan.timeout_s
    return Entry(n, key, answer.status, answer.id, sent_at, seconds, answer.error, success, sent_s, due_s)


def watch(plan: Plan, entries: list[Entry], wait_s: float, show: Callable[[Tally], None] = lambda _: None) -> Tally:
    """Look at the record until it holds all that was accepted, at most `wait_s` seconds, and then once more for what came late. `show`
    is called with what each look found."""
    deadline = time.monotonic() + wait_s
    tally = count(entries, [])
    if not tally.accepted:
        return tally
    with Client(plan.url) as client:
        while tally.lost and time.monotonic() < deadline:
            tally = _look(client, plan, entries) or tally
            show(tally)
            time.sleep(_POLL_S)
        tally = _look(client, plan, entries) or tally
        show(tally)
    return tally


def _look(client: Client, plan: Plan, entries: list[Entry]) -> Tally | None:
    try:
        return count(entries, records(client, plan))
    except ApiError:
        return None  # it cannot be asked now: what is not seen is not recorded


def records(client: Client, plan: Plan) -> Iterator[Record]:
    """The jobs of this run that are on record."""
    since = plan.began_at - timedelta(seconds=_CLOCKS_S)
    numbers = range(plan.first, plan.first + plan.requests)
    filters: dict[str, Any] = {} if plan.classic else {"tag.burst": plan.run}
    for job in client.list(since=since, limit=500, **filters):
        n = job.tags.get("job_id" if plan.classic else "n", "")
        if n.isdecimal() and int(n) in numbers:
            yield Record(job.id, int(n), job.ended_at, job.recorded_at)
