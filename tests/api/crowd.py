"""Thousands of clients that wait for the end of a job each, on raw sockets: cheap enough to measure others with."""

import asyncio
import json
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from tests.api.replica import Replica

ARRIVING_AT_ONCE = 200  # connections under way: the crowd is measured waiting, not arriving


@dataclass(frozen=True, slots=True)
class Answer:
    """What one client got. `late_s`: seconds from the end of its job, by Redis's clock, which is this machine's."""

    status: int
    document: dict[str, Any]
    at: float
    late_s: float


class _Client(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request = request
        self._received = bytearray()
        self._came = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if ended and len(body) >= int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]):
            self._came = time.time()
            if not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or EOFError())

    def answer(self) -> Answer:
        head, _, body = bytes(self._received).partition(b"\r\n\r\n")
        document = json.loads(body)
        ended = datetime.fromisoformat(document["ended_at"]).timestamp() if document.get("ended_at") else self._came
        return Answer(int(head.split()[1]), document, self._came, self._came - ended)


class Crowd:
    """A client of one replica for each job."""

    def __init__(self, replica: Replica, ids: Sequence[str], wait_s: int = 60) -> None:
        self._port = replica.port
        self._ids = ids
        self._wait_s = wait_s
        self._clients: list[_Client] = []
        self._transports: list[asyncio.BaseTransport] = []
        self._turns = asyncio.Semaphore(ARRIVING_AT_ONCE)
        _allow_files(len(ids) + 500)

    async def __aenter__(self) -> Self:
        await asyncio.gather(*map(self._arrive, self._ids))
        return self

    async def _arrive(self, id: str) -> None:
        request = f"GET /v1/jobs/{id}?wait={self._wait_s} HTTP/1.1\r\nHost: a\r\n\r\n".encode()
        async with self._turns:
            transport, client = await asyncio.get_running_loop().create_connection(lambda: _Client(request), "127.0.0.1", self._port)
            self._clients.append(client)
            self._transports.append(transport)

    async def answers(self, timeout_s: float) -> list[Answer]:
        """All answers; an EOFError or ConnectionError for a client that got none."""
        async with asyncio.timeout(timeout_s):
            await asyncio.gather(*(client.done for client in self._clients))
        return [client.answer() for client in self._clients]

    async def __aexit__(self, *_: object) -> None:
        for transport in self._transports:
            transport.close()
        for client in self._clients:
            client.done.cancel()


def _allow_files(number: int) -> None:
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, most), most))
