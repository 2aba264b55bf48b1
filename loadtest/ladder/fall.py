"""What is lost of what was accepted when all of a server's processes are killed at once, and it is started again."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from loadtest.burst import send_all
from loadtest.journal import Entry, Journal
from loadtest.ladder.climb import Shape, accepted, plan
from loadtest.ladder.server import Server
from loadtest.stage import wait

_KILL_AFTER = 2.5  # times the work of one job, after the first answer
_QUIET_S = 8.0  # with nothing done nothing comes any more: a dead worker's jobs run again within 6 s
_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Fall:
    """`accepted`: requests that were answered well; `lost`: of these, jobs that are not in the ledger after all; `cut`: requests that
    had no answer or were refused, which their clients know; `twice`: jobs whose work was done more than once."""

    accepted: int
    lost: int
    cut: int
    twice: int


def fall(server: Server, shape: Shape, timeout_s: float) -> Fall:
    """Send the burst; SIGKILL everything when all of it was accepted, or in the midst of it where the answers wait for the work; start
    again; ask the ledger."""
    server.rest()
    burst = plan(server, shape, timeout_s)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(send_all, burst)
        _until_killable(burst.journal, shape.requests, server.work_s)
        server.kill()
        entries = sending.result()
    server.start()
    return _counted(server, entries)


def _until_killable(path: Path, requests: int, work_s: float) -> None:
    journal = Journal(path)
    wait(lambda: path.exists() and journal.read(), "a first answer", _PATIENCE_S)
    until = time.monotonic() + _KILL_AFTER * work_s
    wait(lambda: len(journal.read()) >= requests or time.monotonic() > until, "all are accepted", _PATIENCE_S)


def _counted(server: Server, entries: list[Entry]) -> Fall:
    took = accepted(entries)
    times = settled(server, took)
    return Fall(len(took), len(took - set(times)), len(entries) - len(took), sum(often > 1 for often in times.values()))


def settled(server: Server, jobs: set[int]) -> Counter[int]:
    """How often the work of each job was done, when these all are, or when nothing comes any more."""
    began = time.monotonic()

    def seen() -> bool:
        done = server.ledger.read()
        last_s = max([began, *(one.at_s for one in done)])
        return jobs <= {one.n for one in done} or time.monotonic() > last_s + _QUIET_S + server.work_s

    wait(seen, "the ledger says what became of the jobs", _PATIENCE_S)
    return Counter(one.n for one in server.ledger.read())
