"""A load generator cheap enough not to be what is measured: prepared HTTP/1.1 requests on many keep-alive connections.

It understands only what the measured servers send: a status line and a Content-Length.
"""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rate:
    """What came of one round. `refused`: answers other than the wanted status."""

    answered: int
    refused: int
    seconds: float

    @property
    def per_s(self) -> float:
        return self.answered / self.seconds


def post(url: str, body: bytes) -> bytes:
    """A whole POST request with a JSON body."""
    at = urlsplit(url)
    head = f"POST {at.path or '/'} HTTP/1.1\r\nHost: {at.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def drive(url: str, bodies: Iterable[bytes], connections: int, seconds: float, status: int) -> Rate:
    """POST the bodies to `url`, each connection one at a time, for `seconds` or until they are used up."""
    return asyncio.run(_drive(url, iter(bodies), connections, seconds, b"HTTP/1.1 %d" % status))


async def _drive(url: str, bodies: Iterator[bytes], connections: int, seconds: float, wanted: bytes) -> Rate:
    at = urlsplit(url)
    loop = asyncio.get_running_loop()
    until = time.monotonic() + seconds
    lines = [_Line(url, bodies, until, wanted) for _ in range(connections)]
    began = time.monotonic()
    for line in lines:
        await loop.create_connection(partial(_as_it_is, line), at.hostname or "", at.port or 80)
    await asyncio.gather(*(line.done for line in lines))
    return Rate(sum(line.answered for line in lines), sum(line.refused for line in lines), time.monotonic() - began)


def _as_it_is(line: "_Line") -> "_Line":
    return line


class _Line(asyncio.Protocol):
    """One connection: sends the next request when the last was answered."""

    def __init__(self, url: str, bodies: Iterator[bytes], until: float, wanted: bytes) -> None:
        self.answered = self.refused = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._url, self._bodies, self._until, self._wanted = url, bodies, until, wanted
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if not found or (length and len(body) < int(length[1])):
            return
        self.answered += head.startswith(self._wanted)
        self.refused += not head.startswith(self._wanted)
        self._buffer = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(error or ConnectionError("the server closed the connection"))

    def _next(self) -> None:
        body = next(self._bodies, None) if time.monotonic() < self._until else None
        if body is not None:
            self._transport.write(post(self._url, body))
            return
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()
