"""The HTTP server of one replica: how much and how long a client may send, how many may be here, a drain that cuts no request.

Nothing below depends on a client's good will: each connection is in one stage, each stage has its time, and one sweep looks at all
of them. A full server makes room by closing who rests, and keeps a few connections for probes.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, Self

from tornado import httputil
from tornado.httpserver import HTTPServer, _HTTPRequestContext
from tornado.web import Application

from api import heads
from api.connection import Connection, Session, wire
from api.problems import Problem, Refused
from api.stream import Stream, Takes
from millpond.errors import MillpondError, TooLarge, Unavailable

CHUNK_BYTES = 16 << 10  # read at once; Tornado zero-fills a buffer of this size for each read, its default of 64 KiB costs 20 us
GRACE_S = 0.2  # how long a connection at rest is kept when a drain begins: its next request may be on the way
LINGER_S = 2.0  # how long a refused client gets to read its answer
SWEEP_S = 0.5  # between two looks at all connections; a stage ends two or three of them before its limit, never after it
UNREAD_BYTES = 64 << 20  # answers that nobody takes; beyond it, those that wait longest are dropped before their time
SPARE = 32  # connections beyond the limit, for `VITAL` requests alone: who is full is not dead
VITAL = ("/livez", "/readyz", "/metrics")
_SWEPT_A_TURN = 64  # connections: 2 us to look at each, some 0.2 ms where all are to be told 408
_LOOKS = 16  # connections that are looked at to make room for one

_UNTAKEN = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux's

Stage = Literal["fresh", "idle", "head", "body", "stream", "busy", "answer", "leaving"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may take, and how many connections there are. Bytes and seconds."""

    body_bytes: int
    body_values: int
    header_bytes: int
    url_bytes: int
    header_s: float
    body_s: float
    idle_s: float
    connections: int

    def of(self, stage: Stage) -> float | None:
        """How long a stage may last; for `stream` and `answer`, how long without a byte that moves. None: as long as it likes."""
        match stage:
            case "fresh" | "head":
                return self.header_s
            case "idle":
                return self.idle_s
            case "body" | "stream" | "answer":
                return self.body_s
            case "leaving":
                return LINGER_S
        return None


class Exchange(httputil.HTTPMessageDelegate):
    """One request on a connection, from the wait for its first byte to its answer."""

    __slots__ = ("begun", "connection", "fresh", "inner", "leaving", "read", "received", "seen", "server", "session", "since", "streams")

    def __init__(self, server: "Server", session: Session, connection: Connection, inner: httputil.HTTPMessageDelegate) -> None:
        self.server = server
        self.session = session
        self.connection = connection
        self.inner = inner
        self.fresh = session not in server.exchanges  # the first on its connection
        self.begun = False  # the head is here
        self.streams = False  # the handler takes the body as it comes, however long
        self.received = 0
        self.read = False  # the body is here
        self.leaving = False  # it was refused, and its connection ends
        self.seen: object = None  # what the last sweep saw, since when
        self.since = 0.0

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Any:
        self.begun = True
        if self.session.spare:
            self.server.admit(self.session, start_line.path)
        wait = self.inner.headers_received(start_line, headers)
        self.streams = getattr(getattr(self.inner, "delegate", None), "stream_request_body", False)
        announced = headers.get("Content-Length")
        if announced is not None and len(announced) > 3:
            self._weigh(int(announced) if len(announced) < 19 else heads.ANY_SIZE)
        return wait

    def data_received(self, chunk: bytes) -> Any:
        self.received += len(chunk)
        self._weigh(self.received)
        return self.inner.data_received(chunk)

    def finish(self) -> None:
        self.read = True
        self.inner.finish()

    def on_connection_close(self) -> None:
        self.inner.on_connection_close()

    def renew(self) -> None:
        """Wait anew: a request was taken at rest."""
        self.fresh, self.seen = False, None

    def _weigh(self, size: int) -> None:
        limit = self.server.limits.body_bytes
        if size > limit and not self.streams:
            raise TooLarge(f"The body is larger than {limit} bytes.", limit=limit)

    @property
    def stage(self) -> Stage:
        """What this exchange waits for. Tornado tells nobody that a head has begun, so the buffer is looked at."""
        if self.leaving:
            return "leaving"
        stream = self.connection.stream
        if stream.in_hand:
            return "answer" if stream.writing() else "busy"
        if not self.begun:
            return "body" if stream.in_part else "head" if stream.buffered else "fresh" if self.fresh else "idle"
        if not self.read:
            # A stream whose next bytes nobody reads waits for us, not for its client.
            return "body" if not self.streams else "stream" if stream.reading() else "busy"
        return "answer" if stream.writing() else "busy"

    @property
    def at_rest(self) -> bool:
        """Whether nothing of a request is here yet."""
        return self.stage in ("fresh", "idle")

    def look(self, now: float) -> Stage:
        """The stage; end it if its time is over."""
        stage = self.stage
        if stage == "busy":  # with what is ours to do, or a wait of its own: thousands may be
            self.seen = None
            return stage
        moved = self.received if stage == "stream" else self.connection.stream.taken if stage == "answer" else 0
        if (stage, moved) != self.seen:
            self.seen, self.since = (stage, moved), now
        elif (limit := self.server.limits.of(stage)) is not None and now - self.since > max(limit - 3 * SWEEP_S, limit / 2):
            self._end(stage)
        return stage

    def _end(self, stage: Stage) -> None:
        if stage in ("head", "body", "stream"):
            part = "head" if stage == "head" else "body"
            self.connection.stream.interrupt(Refused(408, "request_timeout", f"The request's {part} did not come in time."))
        else:
            self.connection.close()


class Server(HTTPServer):
    """Tornado's server with `Limits`, and with `drain`."""

    limits: Limits
    refuse: Callable[[MillpondError], Problem]
    enter: Callable[[Stream], Takes]
    exchanges: dict[object, Exchange]
    draining = False
    _quiet: asyncio.Event

    @classmethod
    def over(cls, app: Application, limits: Limits, refuse: Callable[[MillpondError], Problem], enter: Callable[[Stream], Takes]) -> Self:
        """The server of an application; `refuse` makes the answer to what no handler sees, and counts it; `enter` says who takes the
        requests of a connection that come to no handler either."""
        server = cls(app, chunk_size=CHUNK_BYTES)
        server.limits = limits
        server.refuse = refuse
        server.enter = enter
        server.exchanges = {}
        server._quiet = asyncio.Event()
        server.conn_params.max_body_size = heads.ANY_SIZE  # bodies are weighed by `Exchange`
        return server

    # -- who comes in -----------------------------------------------------------------------------------------------------

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        full = len(self._connections) >= self.limits.connections and not self._make_room()
        if full and len(self._connections) >= self.limits.connections + SPARE:
            self._turn_away(connection)
            return
        if _UNTAKEN:  # what the kernel holds of an answer is out of our sight, so it is told the same limit
            connection.setsockopt(socket.IPPROTO_TCP, _UNTAKEN, round(self.limits.body_s * 1000))
        stream = Stream(connection, max_buffer_size=self.max_buffer_size, read_chunk_size=CHUNK_BYTES)
        stream.send_at_once()
        session = Session(stream, self, _HTTPRequestContext(stream, address, self.protocol), full, self.enter(stream))
        self._connections.add(session)
        session.start_serving(self)

    def _make_room(self) -> bool:
        """Close the connection that has been here longest of those that rest or dawdle over their head; who works is passed over."""
        for session in list(islice(self.exchanges, _LOOKS)):
            exchange = self.exchanges.pop(session)
            if exchange.seen is not None and exchange.stage in ("fresh", "idle", "head"):
                exchange.connection.close()
                return True
            self.exchanges[session] = exchange  # to the end, so that the next look is at others
        return False

    def _turn_away(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.setblocking(False)
            connection.send(wire(self.refuse(_full())))
            connection.recv(CHUNK_BYTES)  # what is unread when it closes would reset it

    def admit(self, session: Session, target: str) -> None:
        """Let a spare connection's request in if it is vital, or if there is room by now. Raises Unavailable."""
        if len(self._connections) <= self.limits.connections:
            session.spare = False
        elif target.partition("?")[0] not in VITAL:
            raise _full()

    def start_request(self, server_conn: object, request_conn: httputil.HTTPConnection) -> Exchange:
        assert isinstance(server_conn, Session)
        assert isinstance(request_conn, Connection)
        if self.draining and server_conn in self.exchanges:
            asyncio.get_running_loop().call_soon(request_conn.close)  # it was told so by `Connection: close`
        exchange = Exchange(self, server_conn, request_conn, super().start_request(server_conn, request_conn))
        self.exchanges[server_conn] = exchange
        return exchange

    def on_close(self, server_conn: object) -> None:
        super().on_close(server_conn)
        self.exchanges.pop(server_conn, None)
        if not self.exchanges:
            self._quiet.set()

    # -- time -------------------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Look at every connection, a few in one turn of the loop, and end what has taken too long. To be called every `SWEEP_S`."""
        now = asyncio.get_running_loop().time()
        exchanges = list(self.exchanges.values())
        answering: list[Exchange] = []
        for at in range(0, len(exchanges), _SWEPT_A_TURN):
            answering += [one for one in exchanges[at : at + _SWEPT_A_TURN] if one.look(now) == "answer"]
            await asyncio.sleep(0)
        unread = sum(exchange.connection.stream.unread for exchange in answering)
        if unread > UNREAD_BYTES:
            self._drop_answers(answering, unread - UNREAD_BYTES)

    def _drop_answers(self, answering: list[Exchange], too_much: int) -> None:
        """Close who has taken nothing of an answer for longest, until so many bytes are free."""
        for exchange in sorted(answering, key=lambda one: one.since):
            if too_much > 0:
                too_much -= exchange.connection.stream.unread
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


def _full() -> Unavailable:
    return Unavailable("Too many connections are open.", code="too_many_connections")
