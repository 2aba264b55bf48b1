"""The second article's question, put to each of its servers and to Millpond in each of its ways, in one run.

They are asked side by side, when everything has started: all that they do is wait.
"""

import http.client
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import orjson

from loadtest.ladder.servers.clusters import CALL_S, CLUSTERS
from loadtest.stage import EVERYWHERE, Stage, free_port, listens, wait
from loadtest.worker.clusters import WAYS, Asked, Way, alike, asked, crews
from loadtest.worker.measure import PATIENCE_S, Unclean
from loadtest.worker.mill import Mill

By = Literal["server", "millpond"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Who answers GET /test as the article's does. `calls`: how many of them follow each other, at best."""

    name: str
    title: str
    calls: int


SERVERS = (
    Server(name="threads", title="a thread a cluster", calls=8),
    Server(name="processes", title="a process a cluster", calls=8),
    Server(name="gevent", title="a greenlet a call", calls=2),
)
TEST = Way(
    name="test",
    title="GET /test: a thread a cluster, pool thread",
    task="cluster_info_threads",
    queue="default",
    pool="thread",
    calls=8,
    article_s=24,
)

Asks = Mapping[Server | Way, Callable[[], Asked]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How long one way took. `seconds`: until the caller had all; `multiple`: the same, in calls; `goal`: that at best; `overhead_s`:
    the seconds beyond the goal."""

    name: str
    title: str
    by: By
    seconds: float
    multiple: float
    goal: int
    overhead_s: float


def rows(folder: Path, call_s: float = CALL_S, rest_s: float = 1.0) -> list[Row]:
    """Ask each server, then Millpond in each way. `folder`: for data and logs, empty; `call_s`: of one call; `rest_s`: for which a
    worker uses no CPU before it is taken for started. Raises Unclean if what they find differs, or an answer is not as it must be."""
    with Stage(folder) as stage:
        ports = {server: _start(stage, server, call_s) for server in SERVERS}
        product = stage.product(MILLPOND_CLASSIC="on", MILLPOND_TEST_SECONDS=str(call_s))
        wait(lambda: all(map(listens, ports.values())), "the article's servers listen")
        with crews(Mill(product, rest_s), (TEST, *WAYS)) as client:
            asks: Asks = {
                **{server: partial(_test, port) for server, port in ports.items()},
                TEST: partial(_test, product.port),
                **{way: partial(asked, client, way, call_s) for way in WAYS},
            }
            found = _found(asks)
    alike({one.title: answer.clusters for one, answer in found.items()})
    return [_row(one, found[one].seconds, call_s) for one in asks]


def _start(stage: Stage, server: Server, call_s: float) -> int:
    port = free_port()
    words = ["--port", str(port), "--seconds", str(call_s)]
    stage.run(f"loadtest.ladder.servers.cluster_{server.name}", *words, core=EVERYWHERE)
    return port


def _found(asks: Asks) -> dict[Server | Way, Asked]:
    """What each found: first those that only wait, then those that start processes, which takes CPU."""
    found: dict[Server | Way, Asked] = {}
    for starts in (False, True):
        some = {one: ask for one, ask in asks.items() if (one.name == "processes") == starts}
        with ThreadPoolExecutor(len(some)) as pool:
            found |= zip(some, pool.map(lambda ask: ask(), some.values()), strict=True)
    return found


def _test(port: int) -> Asked:
    _permitted(port)
    began = time.monotonic()
    answer, body = _request("GET", port)
    seconds = time.monotonic() - began
    said = orjson.loads(body)
    if answer.status != http.client.OK or said["error_code"] or answer.headers["X-Resource-Count"] != str(len(CLUSTERS)):
        raise Unclean(f"GET /test: {answer.status}, {said}")
    return Asked(seconds, said["data"])


def _permitted(port: int) -> None:
    answer, _ = _request("OPTIONS", port)
    methods = answer.headers.get("Access-Control-Allow-Methods", "")
    if answer.status != http.client.OK or "GET" not in methods:
        raise Unclean(f"OPTIONS /test: {answer.status}, methods {methods!r}")


def _request(method: str, port: int) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request(method, "/test")
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def _row(one: Server | Way, seconds: float, call_s: float) -> Row:
    return Row(
        name=one.name,
        title=one.title,
        by="server" if one in SERVERS else "millpond",
        seconds=seconds,
        multiple=seconds / call_s,
        goal=one.calls,
        overhead_s=seconds - one.calls * call_s,
    )
