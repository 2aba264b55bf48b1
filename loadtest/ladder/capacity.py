"""How many clients at once a server holds: each sends one request at the same moment, and 95 % have their answer in time.

Found by search: twice as many until it fails, then between the last two, to a tenth. A server that does the work before it answers has
nothing left to do at each trial: it would go on working for clients that have left. One with a queue only takes more into it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from loadtest.generator import Load
from loadtest.ladder.server import Server
from loadtest.stage import drive

GOOD = 0.95
_NEAR = 1.1
_TRIES = 2  # a number that fails is tried once more: a neighbour's load is no limit of the server
_ALL_DUE_PER_S = 100_000.0  # a second; so many requests are due "at once"


@dataclass(frozen=True, slots=True)
class Capacity:
    """`clients`: held at once. `least`: whether it was not driven further, and may hold more."""

    clients: int
    least: bool


def capacity(server: Server, most: int, timeout_s: float) -> Capacity:
    """Search between 1 and `most` clients."""
    return search(lambda clients: any(_tried(server, clients, timeout_s) >= GOOD for _ in range(_TRIES)), most)


def search(holds: Callable[[int], bool], most: int) -> Capacity:
    """The largest number of clients up to `most` that `holds`, to a tenth below it."""
    good, bad = 0, 1
    while bad <= most and holds(bad):
        good, bad = bad, bad * 2
    if bad > most:
        return Capacity(good, least=True)
    while bad - good > 1 and bad > good * _NEAR:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if holds(middle) else (good, middle)
    return Capacity(good, least=False)


def _tried(server: Server, clients: int, timeout_s: float) -> float:
    """The part of the clients that were answered with 200 in time, counted from when their requests were due."""
    if not server.rung.queues:
        server.rest()
    server.sent += clients
    outcome = drive(
        Load(
            method="GET",
            port=server.port,
            path="/",
            before='{"job_id": ',
            after="}",
            connections=clients,
            requests=clients,
            seconds=1.0,
            per_s=_ALL_DUE_PER_S,
            grace_s=timeout_s,
        )
    )
    well = outcome.statuses.get(200, 0) == outcome.answered
    return sum(second <= timeout_s for second in outcome.latencies_s) / clients if well else 0.0
