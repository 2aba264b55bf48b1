"""Requests of one connection, however their bytes come: what is taken at rest and what Tornado reads are answered in order, once."""

import asyncio
import gc
import random
import socket
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import BinaryIO, NamedTuple
from weakref import ref

import orjson
import pytest
from tornado.iostream import StreamClosedError

from api import heads, hot
from api.stream import Stream
from millpond import keys
from tests.api.hand import Hand
from tests.api.raw import JOB, post
from tests.api.replica import Replica
from tests.until import holds, until

COUNT, FULL_COUNT = 200, 10_000
IDLE_S = 1  # of `hasty`


class Said(NamedTuple):
    id: str
    status: int
    body: bytes


def hear(file: BinaryIO) -> Said:
    """The next answer."""
    status = int(file.readline().split()[1])
    headers = dict(line.decode().rstrip().split(": ", 1) for line in iter(file.readline, b"\r\n"))
    return Said(headers.get("X-Request-Id", ""), status, file.read(int(headers["Content-Length"])))


def submission(name: str, body: bytes = JOB) -> tuple[bytes, int]:
    """What is taken at rest, and its answer's status."""
    return post(b"X-Request-Id: " + name.encode(), b"Content-Length: %d" % len(body), body=body), 202


def another(name: str, kind: int) -> tuple[bytes, int]:
    """What is not."""
    id = b"X-Request-Id: " + name.encode()
    return (
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n" + id + b"\r\n\r\n", 200),
        (post(id, b"Content-Length: 3", body=b"{,}"), 400),
        (post(id, b"Content-Length: 27", body=b'{"task":"nobody","args":[]}'), 422),
        (post(id, b"Prefer: handling=lenient", b"Content-Length: %d" % len(JOB), body=JOB), 202),
        (post(id, b"Transfer-Encoding: chunked", body=b"%x\r\n%b\r\n0\r\n\r\n" % (len(JOB), JOB)), 202),
    )[kind]


def test_requests_cut_anywhere_are_answered_in_order(api: Replica, hand: Hand, full: bool) -> None:
    chance = random.Random(11)
    count = FULL_COUNT if full else COUNT
    requests = [submission(f"r{n}") if chance.random() < 0.6 else another(f"r{n}", chance.randrange(5)) for n in range(count)]
    said: list[tuple[str, int]] = []
    with api.connect() as connection, connection.makefile("rb") as file:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while len(said) < count:
            some = requests[len(said) : len(said) + chance.randint(1, 4)]
            data = b"".join(request for request, _ in some)
            for start, end in pairwise([0, *sorted(chance.sample(range(1, len(data)), chance.randint(0, 3))), len(data)]):
                connection.sendall(data[start:end])
            said += [hear(file)[:2] for _ in some]
    assert said == [(f"r{n}", status) for n, (_, status) in enumerate(requests)]
    assert hand.client.llen(keys.queue("default")) == [status for _, status in requests].count(202)


def test_answers_that_nobody_takes_wait_and_stay_in_order(api: Replica, hand: Hand) -> None:
    """Each answer repeats its 29 KB of arguments: after a few, no whole one fits into the socket."""
    bodies = [orjson.dumps({"task": "echo", "args": [f"{n} " + "x" * 29_000]}) for n in range(100)]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", api.port))
        sender = Thread(target=connection.sendall, args=[b"".join(submission(f"r{n}", body)[0] for n, body in enumerate(bodies))])
        sender.start()
        until(lambda: hand.client.llen(keys.queue("default")) > 1, message="some are accepted")
        with connection.makefile("rb") as file:
            for number, body in enumerate(bodies):
                said = hear(file)
                assert (said.id, said.status) == (f"r{number}", 202)
                assert orjson.loads(said.body)["args"] == orjson.loads(body)["args"]
        sender.join()


@pytest.fixture(scope="module")
def hasty(server_folder: Path, shared_replica: Replica, shared_database: str) -> Iterator[Replica]:
    """A replica that waits a second for anything."""
    times = {"header_timeout_s": IDLE_S, "body_timeout_s": IDLE_S, "idle_timeout_s": IDLE_S}
    with Replica(server_folder, shared_replica.env["MILLPOND_REDIS_URL"], shared_database, **times) as replica:
        yield replica


def test_a_connection_in_use_is_not_idle(hasty: Replica, hand: Hand) -> None:
    began = time.monotonic()
    with hasty.connect() as connection, connection.makefile("rb") as file:
        while time.monotonic() < began + 3 * IDLE_S:
            connection.sendall(submission("again")[0])
            assert hear(file).status == 202
        assert file.read() == b""  # and then it is


def test_a_body_that_stays_away_is_408(hasty: Replica, hand: Hand) -> None:
    with hasty.connect() as connection, connection.makefile("rb") as file:
        connection.sendall(submission("first")[0] + submission("second")[0][:-1])
        assert hear(file).status == 202
        said = hear(file)
        assert (said.status, orjson.loads(said.body)["code"]) == (408, "request_timeout")
        assert file.read() == b""
    assert hand.client.llen(keys.queue("default")) == 1


class Guest:
    """Somebody who holds the stream, as the hot path does, and takes nothing before all is here."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream

    def take(self, data: bytes) -> int:
        return 0


async def test_nothing_is_left_of_a_connection_that_rested() -> None:
    """Connections are many, and the cycle collector seldom looks at what is old."""
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    left = ref(stream)
    gc.disable()
    try:
        rests = asyncio.ensure_future(stream.rest(Guest(stream).take))
        theirs.close()
        with pytest.raises(StreamClosedError):
            await rests
        del stream, rests
        await asyncio.to_thread(until, lambda: left() is None, 5, "nothing is left")
    finally:
        gc.enable()


async def test_what_follows_a_request_in_hand_waits_in_the_kernel() -> None:
    ours, theirs = socket.socketpair()
    stream = Stream(ours, read_chunk_size=1000)
    with theirs:
        stream.rest(lambda data: 1)
        theirs.send(b"x" * 20_000)
        await asyncio.to_thread(until, lambda: stream.in_hand and stream.buffered == 2000, 5, "two pieces are read")
        await asyncio.to_thread(holds, lambda: stream.buffered == 2000, 0.2, "the rest waits")
        stream.close()


LINES = [
    *(b"Host: a", b"host: b", b"Content-Type: application/json", b"content-type: application/json; charset=utf-8"),
    *(
        b"Content-Length: 25",
        b"content-length: 7",
        b"Content-Length: 025",
        b"Content-Length:25",
        b"Content-Length: 1 2",
        b"Content-Length: x",
    ),
    *(b"Idempotency-Key: k", b'idempotency-key: "a b" ', b"Idempotency-Key:k", b"Idempotency-Key: \xe9", b"Idempotency-Key:\tk"),
    *(b"X-Request-Id: r", b"X-Request-Id:  r", b"X-Request-ID: r\t", b"X-Request-Id: a\x00b", b"X-Request-Id: a\nContent-Length: 3"),
    *(b"Connection: keep-alive", b"Connection: close", b"Prefer: wait=1", b"Expect: 100-continue", b"Transfer-Encoding: chunked"),
    *(b" folded: line", b"X: Content-Length: 3", b"X : y", b"", b"X: a\rContent-Length: 4"),
]


def test_the_hot_path_reads_a_head_as_it_stands(full: bool) -> None:
    """What it takes out of a head is what the one strict reader finds there; where that finds a fault, it takes nothing."""
    chance = random.Random(12)
    taken = 0
    for _ in range(100_000 if full else 5_000):
        lines = [b"Host: a", b"Content-Type: application/json", b"Content-Length: 25", *chance.choices(LINES, k=chance.randint(0, 3))]
        head = b"\r\n".join([b"POST /v1/jobs HTTP/1.1", *chance.sample(lines, len(lines)), b"", b""])
        head = head[: head.find(b"\r\n\r\n") + 4]
        own = hot._own(head)
        if own is not None:
            taken += 1
            is_as_read(own, heads.read(head, 1024))
    assert taken > 500


def is_as_read(own: dict[bytes, bytes], read: heads.Head) -> None:
    found = {name: value.strip().decode() for name, value in own.items()}
    for name in ("Content-Length", "Idempotency-Key", "X-Request-Id"):
        assert read.headers.get_list(name) == ([found[key]] if (key := name.lower().encode()) in found else [])
    assert read.keep_alive
    assert not read.expects
    assert "Prefer" not in read.headers
