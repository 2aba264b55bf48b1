"""Clients that keep two replicas busy, and count what became of each request."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from tests.api.replica import Replica

Request = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Got:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Refused(Exception):
    """No connection: nothing was sent."""


class Lost(Exception):
    """The request was sent, and the connection ended before its answer did."""


class Caller:
    """One client with one connection at a time, which it keeps as long as it may."""

    def __init__(self) -> None:
        self._port = 0
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def call(self, port: int, request: bytes) -> Got:
        """Raises Refused or Lost."""
        if port != self._port or self._writer is None:
            self.close()
            try:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError as error:
                raise Refused from error
            self._port = port
        try:
            return await self._exchange(request)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            raise Lost from error

    async def _exchange(self, request: bytes) -> Got:
        assert self._reader
        assert self._writer
        self._writer.write(request)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection") == "close":
            self.close()
        return Got(int(lines[0].split()[1]), headers, body)

    def close(self) -> None:
        """Leave."""
        if self._writer:
            self._writer.close()
        self._writer = None


class Traffic:
    """`size` clients for these replicas: each sends one request after the other, at first to its own replica."""

    def __init__(self, replicas: Sequence[Replica], size: int, requests: Sequence[Request]) -> None:
        self.answered = Counter[int]()
        self.refused = self.lost = self.failed = 0
        self.over = False
        self._ports = [replica.port for replica in replicas]
        self._size = size
        self._requests = requests

    async def run(self) -> None:
        """Go on until `over`."""
        async with asyncio.timeout(120):
            await asyncio.gather(*(self._client(number) for number in range(self._size)))

    async def _client(self, number: int) -> None:
        caller = Caller()
        while not self.over:
            request = self._requests[number % len(self._requests)]()
            # A client that repeats once, elsewhere: with the same key it is the same job.
            if not await self._try(caller, number, request) and not await self._try(caller, number + 1, request):
                self.failed += 1
        caller.close()

    async def _try(self, caller: Caller, number: int, request: bytes) -> bool:
        try:
            got = await caller.call(self._ports[number % len(self._ports)], request)
        except Refused:
            self.refused += 1
            return False
        except Lost:
            self.lost += 1
            return False
        self.answered[got.status] += 1
        return got.status < 400

    def __str__(self) -> str:
        answers = f"{sum(self.answered.values())} answers {dict(self.answered)}"
        return f"{answers}, {self.refused} refused, {self.lost} lost, {self.failed} failed twice"


def submission(prefer: str = "") -> bytes:
    """POST /v1/jobs with a key of its own."""
    body = json.dumps({"task": "add", "args": [1]})
    head = f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nIdempotency-Key: {uuid4().hex}\r\n"
    prefers = f"Prefer: {prefer}\r\n" if prefer else ""
    return f"{head}{prefers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def reading(path: str) -> bytes:
    """GET."""
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
