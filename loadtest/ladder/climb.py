"""The article's bursts on one rung: the same requests, in the same way, each on a server that has nothing left to do."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loadtest.answers import Answers
from loadtest.burst import send_all
from loadtest.journal import Entry
from loadtest.ladder.ledger import Done
from loadtest.ladder.meter import Meter
from loadtest.ladder.server import Server
from loadtest.latencies import Latencies
from loadtest.plan import Plan
from loadtest.stage import wait

_WINDOW = 10  # the jobs' rate is taken over so many times the work of one
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A burst: so many requests, by so many clients that each send one after the other."""

    requests: int
    clients: int

    @property
    def name(self) -> str:
        """As the article writes it: 1000/10."""
        return f"{self.requests}/{self.clients}"


@dataclass(frozen=True, slots=True)
class Burst:
    """What one burst came to. `success`: the part of the requests that were answered well and in time. `per_s`: jobs done a second while
    it lasted. `cpu_s`, `peak_mb`: of all the server's processes while it lasted."""

    success: float
    latencies: Latencies
    per_s: float
    cpu_s: float
    peak_mb: float


def climb(server: Server, shapes: Sequence[Shape], timeout_s: float) -> Mapping[str, Burst]:
    """Each burst by the name of its shape."""
    return {shape.name: _burst(server, shape, timeout_s) for shape in shapes}


def _burst(server: Server, shape: Shape, timeout_s: float) -> Burst:
    server.rest()
    before = len(server.ledger.read())
    with Meter(server.process) as meter:
        entries = send_all(plan(server, shape, timeout_s))
    answers = Answers.of(entries)
    per_s = _done_per_s(server, before, answers.succeeded)
    return Burst(answers.succeeded / answers.requests, answers.latencies, per_s, meter.cpu_s, meter.peak_mb)


def plan(server: Server, shape: Shape, timeout_s: float) -> Plan:
    """The article's calls on this server, which counts them as sent."""
    server.sent += shape.requests
    return Plan(
        url=server.url,
        requests=shape.requests,
        processes=shape.clients,
        timeout_s=timeout_s,
        classic=True,
        word=server.rung.word,
        task="",
        args=[],
        journal=server.folder / f"journal-{server.sent}.ndjson",
    )


def accepted(entries: Sequence[Entry]) -> set[int]:
    """The numbers of the jobs that were answered well, in time or not."""
    return {entry.n for entry in entries if 200 <= entry.status < 300 and not entry.error}


def _done_per_s(server: Server, before: int, jobs: int) -> float:
    """Jobs done a second, from when the first after `before` was begun: until so many are done, or for a while."""
    window_s = _WINDOW * server.work_s

    def seen() -> bool:
        done = server.ledger.read()[before:]
        return len(done) >= jobs or (bool(done) and time.monotonic() > done[0].at_s + window_s)

    wait(seen, "work was done", _PATIENCE_S)
    return rate(server.ledger.read()[before:], server.work_s if server.rung.works else 0.0, window_s)


def rate(done: Sequence[Done], work_s: float, window_s: float) -> float:
    """Jobs done a second within `window_s` of the first, each of which took `work_s`; 0 where none was."""
    if not done:
        return 0.0
    within = [one.at_s for one in done if one.at_s <= done[0].at_s + window_s]
    return len(within) / max(within[-1] - within[0] + work_s, 1e-6)
