"""What a connection may do to us: long bodies, slow heads, nonsense. Raw sockets, real server."""

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import BadStatusLine, HTTPResponse
from pathlib import Path

import pytest

from millpond import keys
from tests.api.hand import Hand
from tests.api.replica import Replica, receive
from tests.until import until

HEAD = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def strict(server_folder: Path, shared_replica: Replica, shared_database: str) -> Iterator[Replica]:
    """A replica with short limits."""
    limits = {"max_body_bytes": 10_000, "max_header_bytes": 4096, "header_timeout_s": 1, "body_timeout_s": 1, "idle_timeout_s": 3}
    with Replica(server_folder, shared_replica.env["MILLPOND_REDIS_URL"], shared_database, **limits) as replica:
        yield replica


def exchange(api: Replica, *pieces: bytes) -> tuple[int, dict[str, object]]:
    """Send, then read the answer: its status (0: closed without one), and its body as JSON if it is."""
    with api.connect(5) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        with HTTPResponse(connection) as answer:
            try:
                answer.begin()
            except (BadStatusLine, ConnectionResetError):
                return 0, {}
            body = answer.read()
            return answer.status, json.loads(body) if body.startswith(b"{") else {}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"Content-Length: 20000\r\n\r\n", b"x" * 20_000],
        [HEAD + b"Content-Length: 20000\r\n\r\n"],  # answered before the body is here
        [HEAD + b"Content-Length: 20000\r\nExpect: 100-continue\r\n\r\n"],
        [HEAD + b"Content-Length: " + b"9" * 3000 + b"\r\n\r\n"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk(b"x" * 1000)] * 20, b"0\r\n\r\n"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk(b"x" * 1000)] * 500],  # and no end
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n", b"x" * 500_000],
    ],
)
def test_a_body_over_the_limit_is_413(strict: Replica, hand: Hand, pieces: list[bytes]) -> None:
    status, problem = exchange(strict, *pieces)
    assert (status, problem.get("code")) == (413, "too_large")
    assert problem["limit"] == 10_000
    assert not hand.client.exists(keys.OPEN)


def test_a_body_at_the_limit_is_read(strict: Replica, hand: Hand) -> None:
    body = json.dumps({"task": "echo", "args": [""]}).encode()
    body = body.replace(b'""', b'"' + b"x" * (10_000 - len(body)) + b'"')
    status, _ = exchange(strict, HEAD + b"Content-Length: 10000\r\n\r\n" + body)
    assert status == 202
    status, _ = exchange(strict, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk(body[:5000]), chunk(body[5000:]), b"0\r\n\r\n")
    assert status == 202


def test_a_connection_goes_on_after_an_error(strict: Replica, hand: Hand) -> None:
    with strict.connect() as connection:
        for body, status in ((b"[1", 400), (b"{}", 422), (b'{"task":"add","args":[1]}', 202)):
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
            assert connection.recv(65536).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize("piece", [b"G", b"ET / HTTP/1.1\r\nX: ", b"a"])
def test_a_head_that_drips_is_cut(strict: Replica, piece: bytes) -> None:
    with strict.connect(4) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\nX: " if piece == b"a" else piece)
        assert receive(connection).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_does_not_come_is_cut(strict: Replica) -> None:
    with strict.connect(4) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert receive(connection).startswith(b"HTTP/1.1 408 ")


def test_an_idle_connection_is_closed(strict: Replica) -> None:
    with strict.connect(6) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert connection.recv(100) == b""


def test_an_answer_that_nobody_takes_is_dropped(strict: Replica, hand: Hand) -> None:
    ids = [strict.submit({"task": "echo"}).json()["id"] for _ in range(2)]
    hand.finish(*hand.begin(2), result="x" * 1_000_000)
    with strict.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for id in ids * 4:
            connection.sendall(f"GET /v1/jobs/{id} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        until(lambda: not _is_served(strict, connection), 15, "the server gave it up")


def _is_served(strict: Replica, connection: socket.socket) -> bool:
    """Whether the replica still holds its end of a connection."""
    wanted = [f"0100007F:{port:04X}" for port in (strict.port, connection.getsockname()[1])]
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return any((row[1], row[2], row[3]) == (*wanted, "01") for row in rows[1:])


def test_clients_that_leave_half_way_leave_nothing_behind(strict: Replica, hand: Hand) -> None:
    for _ in range(20):
        with strict.connect() as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        with strict.connect() as connection:
            connection.sendall(HEAD + b'Content-Length: 25\r\n\r\n{"task":"add","args":[1]}')
    until(lambda: hand.client.scard(keys.OPEN) == 20, 5)
    assert not [line for line in strict.lines() if line["level"] in ("error", "critical")]
