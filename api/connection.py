"""One client's connection: requests one after the other, each read strictly, and a last answer to what cannot be read.

Tornado's connection answers a bare 400 to what it does not understand, closes without a word where a head is too long or too
slow, and sets two timers for each request. Here reading is ours (`api.heads`), and the server's sweep is the only timer; writing
answers stays Tornado's.
"""

import asyncio
import socket
from collections.abc import Awaitable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
from tornado.httputil import HTTPInputError, HTTPMessageDelegate
from tornado.iostream import StreamClosedError, UnsatisfiableReadError
from tornado.log import app_log

from api import heads
from api.problems import Problem, Refused
from api.stream import Stream, Takes
from millpond.errors import MillpondError

if TYPE_CHECKING:
    from api.server import Exchange, Server

_LINGER_BYTES = 8 << 20  # of a refused request that are read and dropped, so that its client comes to read the answer


class Connection(HTTP1Connection):
    """One request and its answer."""

    stream: Stream

    def __init__(self, session: "Session") -> None:
        super().__init__(session.stream, False, session.params, session.context)
        self.limits = session.server.limits

    async def read_response(self, delegate: HTTPMessageDelegate) -> bool:
        """Read one request and wait for the end of its answer; whether another may follow. Raises MillpondError for what must be
        answered here and end the connection, StreamClosedError. (The name is Tornado's, from its client side.)"""
        begun = False
        try:
            head = await self._read_head()
            begun = True
            await _if_any(delegate.headers_received(head.start_line, head.headers))
            if head.expects and not self._write_finished:
                self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            await self._read_content(head, delegate)
            self._read_finished = True
            if not self._write_finished:
                delegate.finish()
                begun = False
            await self._answered()
            return not self.stream.closed()
        except HTTPInputError as error:
            raise heads.malformed(str(error)) from error
        finally:
            if begun:
                delegate.on_connection_close()
            self._clear_callbacks()

    async def _read_head(self) -> heads.Head:
        try:
            # A bare LF ends a line here only so that `heads` can refuse it at once.
            raw = await self.stream.read_until_regex(rb"\r?\n\r?\n", max_bytes=self.limits.header_bytes)
        except UnsatisfiableReadError:
            raise self._head_too_large() from None
        head = heads.read(raw, self.limits.url_bytes)
        self._request_start_line, self._request_headers = head.start_line, head.headers
        self._disconnect_on_finish = self.params.no_keep_alive or not head.keep_alive
        return head

    def _head_too_large(self) -> Refused:
        if not self.stream.first_line_within(self.limits.url_bytes + 64):
            return Refused(414, "url_too_long", f"The URL has more than {self.limits.url_bytes} bytes.", limit=self.limits.url_bytes)
        limit = self.limits.header_bytes
        return Refused(431, "headers_too_large", f"The request's head has more than {limit} bytes.", limit=limit)

    async def _read_content(self, head: heads.Head, delegate: HTTPMessageDelegate) -> None:
        if head.length:
            await self._read_fixed_body(head.length, delegate)
        elif head.length is None:
            try:
                await self._read_chunked_body(delegate)
            except UnsatisfiableReadError:
                raise heads.malformed("a chunk's size has no end") from None

    async def _deliver_body(self, delegate: HTTPMessageDelegate, data: bytes) -> None:
        if not self._write_finished:
            await _if_any(delegate.data_received(data))

    async def _answered(self) -> None:
        if not self._finish_future.done() and not self.stream.closed():
            self.stream.set_close_callback(self._on_connection_close)
            await self._finish_future

    @property
    def answering(self) -> bool:
        """Whether some of the answer was written."""
        return self._response_start_line is not None


async def _if_any(wait: Awaitable[None] | None) -> None:
    if wait is not None:
        await wait


class Session(HTTP1ServerConnection):
    """All requests of one connection. `spare`: it came when the server was full (`Server.accept`). `takes`: who is offered each
    request first, at rest."""

    stream: Stream

    def __init__(self, stream: Stream, server: "Server", context: object, spare: bool, takes: Takes) -> None:
        super().__init__(stream, server.conn_params, context)
        self.server = server
        self.spare = spare
        self.takes = takes

    async def _server_request_loop(self, delegate: Any) -> None:
        server: Server = delegate
        try:
            await self._serve(server)
        except (StreamClosedError, asyncio.CancelledError):
            pass  # the client left, or was cut
        except Exception:
            app_log.error("Uncaught exception", exc_info=True)
        finally:
            self.stream.close()
            server.on_close(self)

    async def _serve(self, server: "Server") -> None:
        again = True
        while again:
            connection = Connection(self)
            exchange = server.start_request(self, connection)
            try:
                if not self.spare:
                    await self.stream.rest(self._offer)
                again = await connection.read_response(exchange)
            except MillpondError as error:
                if not connection.answering:
                    await self._dismiss(exchange, server.refuse(error))
                return
            await asyncio.sleep(0)  # others first: the next request may be here already

    def _offer(self, data: bytes) -> int | None:
        taken = None if self.server.draining else self.takes(data)
        if taken:
            self.server.exchanges[self].renew()
        return taken

    async def _dismiss(self, exchange: "Exchange", answer: Problem) -> None:
        """A last answer. Closing over bytes that were not read would reset the connection, perhaps before the client has read it:
        so they are read and dropped, for a while (the sweep's) and up to a limit."""
        exchange.leaving = True
        await self.stream.write(wire(answer))
        with suppress(OSError):
            self.stream.socket.shutdown(socket.SHUT_WR)
        dropped = 0
        while dropped < _LINGER_BYTES:
            dropped += len(await self.stream.read_bytes(1 << 16, partial=True))


def wire(answer: Problem) -> bytes:
    """An answer as bytes, the last of its connection."""
    headers = {"Server": "millpond", **answer.headers, "Content-Length": str(len(answer.body)), "Connection": "close"}
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin1") + answer.body
