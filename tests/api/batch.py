"""Uploads for tests, and what became of them, read from the jobs and not from any counter."""

import socket
from collections.abc import Iterable
from typing import Any, cast

import httpx2
import orjson

from millpond import keys
from tests.api.hand import Hand
from tests.api.replica import Replica

NDJSON = {"Content-Type": "application/x-ndjson"}
_PAGE = 5_000


def line(number: int, **more: Any) -> bytes:
    """A line for the task add, told by its argument."""
    return orjson.dumps({"task": "add", "args": [number], **more}) + b"\n"


def upload(api: Replica, content: bytes | Iterable[bytes], key: str = "", **headers: str) -> httpx2.Response:
    """POST /v1/batches; bytes with their length, anything else chunked."""
    given = NDJSON | ({"Idempotency-Key": key} if key else {}) | headers
    return api.http.post("/v1/batches", content=content if isinstance(content, bytes) else iter(content), headers=given, timeout=600)


def begin(api: Replica, length: int, key: str) -> socket.socket:
    """A connection on which an upload of so many bytes was announced, for the test to send as it likes."""
    connection = api.connect(900)
    head = f"POST /v1/batches HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\nIdempotency-Key: {key}\r\n"
    connection.sendall(f"{head}Content-Length: {length}\r\n\r\n".encode())
    return connection


def read(api: Replica, path: str) -> list[dict[str, Any]]:
    """The documents of an NDJSON answer."""
    answer = api.http.get(path, timeout=60)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/x-ndjson"), answer.text
    return [orjson.loads(text) for text in answer.content.splitlines()]


def numbers(hand: Hand) -> list[int]:
    """The first arguments of all queued jobs, in the order of their queue."""
    found: list[int] = []
    while ids := cast(list[bytes], hand.client.lrange(keys.queue("default"), len(found), len(found) + _PAGE - 1)):
        with hand.client.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hget(keys.job(id.decode()), "data")
            found += [orjson.loads(data)[2][0] for data in pipe.execute()]
    return found


def lines_taken(hand: Hand) -> int:
    """How many jobs are open."""
    return hand.client.scard(keys.OPEN)
