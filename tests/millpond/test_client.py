"""The clients over real sockets: they send what the conversation says, keep connections, and meet a server that misbehaves."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson
import pytest

import millpond
from millpond.client import ApiError, AsyncClient, Client

JOB = {"id": "a1", "status": "finished", "result": [1, None]}


@dataclass
class Seen:
    """What the server got; `answers` come first, then it answers by path."""

    url: str = ""
    requests: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    answers: list[int] = field(default_factory=list)  # a status, or 0: close without an answer


def documents(path: str) -> Any:
    if path == "/v1/jobs?limit=2&tag.k=v&since=2026-01-31T12%3A00%3A00.000Z":
        return {"jobs": [JOB, JOB], "next": "more"}
    if path.startswith("/v1/jobs?"):
        assert path.endswith("&cursor=more")
        return {"jobs": [JOB], "next": None}
    name = path.rsplit("/", 1)[1]
    return {name: [{"name": "x"}]} if name in ("tasks", "queues", "workers") else {"version": "1"} if name in ("version", "stats") else JOB


@pytest.fixture
def server() -> Iterator[Seen]:
    seen = Seen()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            seen.requests.append((self.command, self.path))
            seen.keys.append(self.headers["Idempotency-Key"])
            seen.connections.add(self.client_address)
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            seen.bodies.append(orjson.loads(body) if body else None)
            status = seen.answers.pop(0) if seen.answers else 200
            if status == 0:
                self.close_connection = True
                return
            said = orjson.dumps(documents(self.path) if status == 200 else {"code": "redis_unavailable"})
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_GET = do_POST = answer  # noqa: N815 (http.server's names)

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        seen.url = f"http://127.0.0.1:{http.server_port}"
        Thread(target=http.serve_forever, daemon=True).start()
        yield seen
        http.shutdown()


CALLS: list[tuple[str, tuple[Any, ...], tuple[str, str], Any]] = [
    ("get", ("a1",), ("GET", "/v1/jobs/a1"), None),
    ("get", ("a1", 5), ("GET", "/v1/jobs/a1?wait=5"), None),
    ("cancel", ("a1",), ("POST", "/v1/jobs/a1/cancel"), None),
    ("retry", ("a1", 3), ("POST", "/v1/jobs/a1/retry"), None),
    ("tasks", (), ("GET", "/v1/tasks"), [{"name": "x"}]),
    ("queues", (), ("GET", "/v1/queues"), [{"name": "x"}]),
    ("workers", (), ("GET", "/v1/workers"), [{"name": "x"}]),
    ("pause", ("high",), ("POST", "/v1/queues/high/pause"), None),
    ("resume", ("high",), ("POST", "/v1/queues/high/resume"), None),
    ("version", (), ("GET", "/version"), {"version": "1"}),
    ("stats", (), ("GET", "/v1/stats"), {"version": "1"}),
]


@pytest.mark.parametrize(("name", "args", "request_", "value"), CALLS)
def test_calls(server: Seen, name: str, args: tuple[Any, ...], request_: tuple[str, str], value: Any) -> None:
    async def call() -> Any:
        async with AsyncClient(server.url) as client:
            return await getattr(client, name)(*args)

    with Client(server.url) as client:
        blocking = getattr(client, name)(*args)
    assert blocking == asyncio.run(call())
    assert server.requests == [request_, request_]
    if value is not None:
        assert blocking == value


PATIENCE_S = 2


def submit(url: str, *args: Any, **options: Any) -> Any:
    with Client(url, timeout_s=PATIENCE_S) as client:
        return client.submit(*args, **options)


def submit_async(url: str, *args: Any, **options: Any) -> Any:
    async def call() -> Any:
        async with AsyncClient(url, timeout_s=PATIENCE_S) as client:
            return await client.submit(*args, **options)

    return asyncio.run(call())


BOTH = pytest.mark.parametrize("submit", [submit, submit_async])


@BOTH
def test_a_submission(server: Seen, submit: Callable[..., Any]) -> None:
    job = submit(server.url, "resize", "a.png", queue="high", delay_s=1, tags={"k": "v"}, timeout_s=2, idempotency_key="mine", width=3)
    assert (job.status, job.result) == ("finished", [1, None])
    assert server.bodies == [
        {"task": "resize", "args": ["a.png"], "kwargs": {"width": 3}, "queue": "high", "delay_s": 1, "tags": {"k": "v"}, "timeout_s": 2}
    ]
    assert server.keys == ["mine"]


@BOTH
def test_a_lost_answer_is_met_with_the_same_key(server: Seen, submit: Callable[..., Any]) -> None:
    server.answers = [0, 503, 0]
    assert submit(server.url, "resize").id == "a1"
    assert len(server.keys) == 4
    assert len(set(server.keys)) == 1
    assert server.keys[0]


@BOTH
def test_nobody_listens(submit: Callable[..., Any]) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ApiError) as caught:
            submit(f"http://127.0.0.1:{taken.getsockname()[1]}", "resize")  # bound, but nobody accepts
    assert (caught.value.status, caught.value.code) == (0, "no_answer")


def test_one_connection_is_kept(server: Seen) -> None:
    with Client(server.url) as client:
        for _ in range(5):
            client.get("a1")
    assert len(server.connections) == 1


def test_pages_follow_one_another(server: Seen) -> None:
    filters: dict[str, Any] = {"limit": 2, "tag.k": "v", "since": datetime(2026, 1, 31, 12, tzinfo=UTC), "status": None}

    async def collect() -> list[str]:
        async with AsyncClient(server.url) as client:
            return [job.id async for job in client.list(**filters)]

    with Client(server.url) as client:
        assert [job.id for job in client.list(**filters)] == ["a1"] * 3
    assert asyncio.run(collect()) == ["a1"] * 3


def test_what_is_not_json_is_not_sent(server: Seen) -> None:
    with Client(server.url) as client, pytest.raises(millpond.errors.Invalid, match="#/args/0"):
        client.submit("resize", float("nan"))
    assert not server.requests


def test_the_package_offers_them() -> None:
    assert millpond.Client is Client
    assert millpond.AsyncClient is AsyncClient
    with pytest.raises(AttributeError):
        millpond.Nothing  # noqa: B018
