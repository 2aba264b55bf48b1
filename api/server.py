"""The HTTP server of one replica: Tornado's, with the limits that it leaves to others, and a drain that cuts no request.

Tornado takes a body that is too large for a malformed message (a bare 400), and waits for the end of the headers as long as for
the next request. Both are settled here, before any handler runs. This is also where a connection is known to be at rest.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.web import Application

from api.problems import Problem, problem
from millpond.errors import BadInput, MillpondError, TooLarge

CHUNK_BYTES = 16 << 10  # read at once; Tornado zero-fills a buffer of this size for each read, its default of 64 KiB costs 20 us
GRACE_S = 0.2  # how long a connection at rest is kept when a drain begins: its next request may be on the way
STREAMED = ("POST", "/v1/batches")  # its handler takes the body as it comes, however long
_LINGER = 8  # limits' worth of a refused body that are read and dropped, so that the client comes to read the answer
_ANY_SIZE = 1 << 62


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take. Bytes and seconds."""

    body_bytes: int
    header_bytes: int
    header_s: float
    body_s: float
    idle_s: float


class Exchange(httputil.HTTPMessageDelegate):
    """One request on a connection, from the wait for its first byte to its answer."""

    __slots__ = ("begun", "connection", "inner", "received", "refused", "server", "slow", "streams")

    def __init__(self, server: "Server", connection: HTTP1Connection, inner: httputil.HTTPMessageDelegate) -> None:
        self.server = server
        self.connection = connection
        self.inner = inner
        self.received = 0
        self.begun = False  # the headers are here
        self.refused = False
        self.streams = False
        self.slow = 0  # seconds for which the head has been on the way, or the answer has not been taken

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Any:
        self.begun = True
        if (start_line.method, start_line.path.partition("?")[0]) == STREAMED:
            self.streams = True
            self.connection.set_body_timeout(None)  # type: ignore[arg-type]
            return self.inner.headers_received(start_line, headers)
        announced = _announced(headers)
        if announced > self.server.limits.body_bytes:
            self._refuse(self._too_large())
            headers["Content-Length"] = str(min(announced, _ANY_SIZE))  # beyond it, Tornado would add an answer of its own
            if "Expect" in headers:
                self.connection.finish()
            return None
        try:
            return self.inner.headers_received(start_line, headers)
        except httputil.HTTPInputError as error:
            self._refuse(BadInput(f"The request is not valid HTTP: {error}."))
            return None

    def data_received(self, chunk: bytes) -> Any:
        self.received += len(chunk)
        limit = self.server.limits.body_bytes
        if self.refused:
            if self.received > limit * _LINGER:
                self.connection.finish()  # closes, as the body is not at its end
            return None
        if self.received > limit and not self.streams:
            self.inner.on_connection_close()
            self._refuse(self._too_large())
            return None
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        (self.connection if self.refused else self.inner).finish()

    def on_connection_close(self) -> None:
        if not self.refused:
            self.inner.on_connection_close()

    def _too_large(self) -> TooLarge:
        limit = self.server.limits.body_bytes
        return TooLarge(f"The body is larger than {limit} bytes.", limit=limit)

    def _refuse(self, error: MillpondError) -> None:
        self.refused = True
        answer = problem(error)
        headers = httputil.HTTPHeaders({**answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"})
        start_line = httputil.ResponseStartLine("HTTP/1.1", answer.status, HTTPStatus(answer.status).phrase)
        self.connection.write_headers(start_line, headers, answer.body)
        self.server.refused(answer)

    @property
    def at_rest(self) -> bool:
        """Whether nothing of a request is here yet."""
        return not self.begun and not self.partial

    @property
    def partial(self) -> bool:
        """Whether some of the headers are here; Tornado tells nobody, so its buffer is looked at."""
        return not self.begun and bool(self.connection.stream._read_buffer_size)


def _announced(headers: httputil.HTTPHeaders) -> int:
    length = headers.get("Content-Length", "0")
    if not (length.isascii() and length.isdecimal()):
        return 0  # Tornado refuses it
    return int(length) if len(length) < 20 else _ANY_SIZE  # int() itself refuses very many digits


class Server(HTTPServer):
    """Tornado's server with `Limits`, and with `drain`."""

    limits: Limits
    refused: Callable[[Problem], None]
    exchanges: dict[object, Exchange]
    draining = False
    _quiet: asyncio.Event

    @classmethod
    def over(cls, app: Application, limits: Limits, refused: Callable[[Problem], None]) -> Self:
        """The server of an application; `refused` hears of what no handler saw. Bodies are measured here, not by Tornado."""
        server = cls(
            app,
            chunk_size=CHUNK_BYTES,
            max_header_size=limits.header_bytes,
            idle_connection_timeout=limits.idle_s,
            body_timeout=limits.body_s,
            max_body_size=_ANY_SIZE,
        )
        server.limits = limits
        server.refused = refused
        server.exchanges = {}
        server._quiet = asyncio.Event()
        return server

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> httputil.HTTPMessageDelegate:
        assert isinstance(request_conn, HTTP1Connection)
        if self.draining and server_conn in self.exchanges:
            asyncio.get_running_loop().call_soon(request_conn.close)  # it was told so by `Connection: close`
        exchange = Exchange(self, request_conn, super().start_request(server_conn, request_conn))
        self.exchanges[server_conn] = exchange
        return exchange

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self.exchanges.pop(server_conn, None)
        if not self.exchanges:
            self._quiet.set()

    def sweep(self) -> None:
        """Close connections whose head is on the way, or whose answer nobody takes, for too long. To be called every second."""
        for exchange in list(self.exchanges.values()):
            stuck = exchange.partial or exchange.connection.stream.writing()
            exchange.slow = exchange.slow + 1 if stuck else 0
            if exchange.slow > (self.limits.idle_s if exchange.begun else self.limits.header_s):
                exchange.connection.close()

    async def drain(self, timeout_s: float) -> int:
        """Accept no more, let the requests that are here end, close; answers how many were cut after `timeout_s`."""
        self.draining = True
        self.conn_params.no_keep_alive = True
        await asyncio.sleep(0)  # one more turn accepts what the kernel has already completed
        self.stop()
        await self._quieten(min(GRACE_S, timeout_s))
        for exchange in list(self.exchanges.values()):
            if exchange.at_rest:
                exchange.connection.close()
        await self._quieten(timeout_s - GRACE_S)
        cut = len(self.exchanges)
        await self.close_all_connections()
        return cut

    async def _quieten(self, timeout_s: float) -> None:
        if not self.exchanges:
            return
        self._quiet.clear()
        try:
            async with asyncio.timeout(max(0.0, timeout_s)):
                await self._quiet.wait()
        except TimeoutError:
            pass
