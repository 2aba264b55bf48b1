"""The second article's servers, and Millpond beside them: all find the same, each in as many calls as it must wait for."""

import asyncio
import http.client
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tornado.httpserver import HTTPServer
from tornado.web import Application

from api.classic import CORS, FAILED
from loadtest.ladder.clusters import SERVERS, Row
from loadtest.ladder.run import QUICK
from loadtest.ladder.servers import envelope
from loadtest.worker.clusters import alike
from loadtest.worker.measure import Unclean
from tests.pace import within
from tests.processes import ROOT, Process, children, free_port, listens
from tests.until import until

CALL_S = QUICK.call_s
CALLS = {server.name: server.calls for server in SERVERS}
MACHINES = {"nodes": [{"node_id": n} for n in (1, 2, 3, 4)], "switches": [{"switch_id": n} for n in (1, 2, 3, 4)]}


class Server(Process):
    """One of the article's, as the ladder starts it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.port = free_port()
        module = f"loadtest.ladder.servers.cluster_{name}"
        options = ["--port", str(self.port), "--seconds", str(CALL_S)]
        super().__init__([sys.executable, "-W", "error", "-m", module, *options], folder / name)

    def ready(self) -> bool:
        return listens(self.port)


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def sent(port: int, method: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=within(15))
    connection.request(method, "/test")
    return connection


def received(connection: http.client.HTTPConnection) -> Answer:
    answer = connection.getresponse()
    try:
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def request(port: int, method: str = "GET") -> Answer:
    return received(sent(port, method))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    folder = tmp_path_factory.mktemp("servers")
    started = {name: Server(name, folder).launch() for name in CALLS}
    try:
        for server in started.values():
            until(server.ready, 20, f"{server} listens")
        yield started
        assert {name: server.stop() for name, server in started.items()} == dict.fromkeys(CALLS, 0)
    finally:
        for server in started.values():
            server.close()


class Exchange(NamedTuple):
    """A GET, and what OPTIONS was answered meanwhile. `unanswered`: whether the GET still was, after that."""

    get: Answer
    options: list[Answer]
    unanswered: bool


@pytest.fixture(scope="module")
def exchanges(servers: dict[str, Server]) -> dict[str, Exchange]:
    """One with each server, side by side."""
    begun = {}
    for name, server in servers.items():
        get = sent(server.port, "GET")
        options = [request(server.port, "OPTIONS") for _ in range(3)]
        begun[name] = get, options, not select.select([get.sock], [], [], 0)[0]
    return {name: Exchange(received(get), options, unanswered) for name, (get, options, unanswered) in begun.items()}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Row]:
    """The whole comparison, by who answers and how: the ladder's own part of it."""
    file = tmp_path_factory.mktemp("ladder") / "figures.json"
    command = [sys.executable, "-m", "loadtest", "ladder", "--quick", "--only", "clusters", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=within(25), check=False)
    assert done.returncode == 0, done.stderr
    assert "GET /test" in done.stdout
    return {(row["by"], row["name"]): Row(**row) for row in json.loads(file.read_text())["clusters"]}


@pytest.mark.parametrize("name", CALLS)
def test_a_server_answers_in_the_article_s_envelope(servers: dict[str, Server], exchanges: dict[str, Exchange], name: str) -> None:
    answer = exchanges[name].get
    assert (answer.status, answer.document["error_code"], answer.document["message"]) == (200, 0, "")
    data = answer.document["data"]
    assert [{**cluster, "seconds": 0} for cluster in data] == [{"cluster_id": n, **MACHINES, "seconds": 0} for n in (1, 2, 3, 4)]
    assert answer.headers["X-Resource-Count"] == "4"
    assert answer.headers["Content-Type"].startswith("application/json")
    assert {header: answer.headers.get(header) for header in CORS} == CORS, "as Millpond's own"
    for cluster in data:
        assert cluster["seconds"] >= CALLS[name] * CALL_S
        assert f"cluster {cluster['cluster_id']} by {name}: {cluster['seconds']:.3f} s\n" in servers[name].output()


@pytest.mark.parametrize("name", CALLS)
def test_options_is_answered_while_a_get_is_on_its_way(exchanges: dict[str, Exchange], name: str) -> None:
    for answer in exchanges[name].options:
        assert (answer.status, answer.body) == (200, b"")
        assert {header: answer.headers.get(header) for header in CORS} == CORS
    assert exchanges[name].unanswered


def test_a_process_that_dies_is_an_error_of_its_request_alone(servers: dict[str, Server]) -> None:
    server = servers["processes"]
    get = sent(server.port, "GET")
    asked = until(lambda: of_clusters(server.pid), 10, "four processes ask", every_s=0.005)
    os.kill(asked[0], signal.SIGKILL)
    answer = received(get)
    assert (answer.status, answer.document["error_code"], answer.document["data"]) == (202, FAILED, None)
    assert "BrokenProcessPool" in answer.document["message"]
    assert {header: answer.headers.get(header) for header in CORS} == CORS
    assert request(server.port).document["error_code"] == 0


def of_clusters(pid: int) -> list[int]:
    """The four processes that ask, once all of them do: grandchildren, by way of the one that forks them."""
    found = [grandchild for child in children(pid) for grandchild in children(child)]
    return found if len(found) == 4 else []


async def test_whatever_the_question_raises_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    def ask() -> list[Any]:
        raise ConnectionError("node 3 does not answer")

    server = HTTPServer(Application(list(envelope.routes(ask, 1))))
    port = free_port()
    server.listen(port, "127.0.0.1")
    answer = await asyncio.to_thread(request, port)
    server.stop()
    await server.close_all_connections()
    assert answer.status == 202
    assert answer.document == {"error_code": FAILED, "message": "ConnectionError: node 3 does not answer", "data": None}
    assert "no answer" in caplog.messages


def test_each_way_is_compared_with_its_goal(table: dict[tuple[str, str], Row]) -> None:
    millpond = {"test": 8, **CALLS, "fan-out": 2}
    goals = {("server", name): calls for name, calls in CALLS.items()} | {("millpond", name): calls for name, calls in millpond.items()}
    assert {key: row.goal for key, row in table.items()} == goals
    for row in table.values():
        assert row.multiple == pytest.approx(row.seconds / CALL_S)
        assert row.overhead_s == pytest.approx(row.seconds - row.goal * CALL_S)
        assert row.overhead_s > 0, "nobody is faster than the calls that follow each other"
        assert row.overhead_s < within(10)


def test_greenlets_take_fewer_calls_than_threads(table: dict[tuple[str, str], Row]) -> None:
    assert table["server", "gevent"].seconds < table["server", "threads"].seconds
    assert table["millpond", "gevent"].seconds < table["millpond", "threads"].seconds
    assert table["millpond", "fan-out"].seconds < table["millpond", "threads"].seconds


def test_what_differs_is_found_out() -> None:
    one = {"cluster_id": 1, **MACHINES, "seconds": 1.6}
    alike({"threads": [one], "gevent": [{**one, "seconds": 0.4}]})
    with pytest.raises(Unclean, match="differ"):
        alike({"threads": [one], "gevent": [{**one, "switches": []}]})
