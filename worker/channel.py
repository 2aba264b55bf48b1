"""A connection to Redis on which nobody waits: bytes leave, and replies are taken when they are there.

redis-py makes it, for every form of a Redis URL. Then nothing of redis-py is in its way: each of its reads and writes is three or four
system calls, and a thread that makes one gives up the GIL, for which a pool's threads are waiting.
"""

import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any, Final

import hiredis
import redis
from hiredis import pack_command

from millpond import broker

_MOST: Final = 65_536  # bytes that one read takes
_NOTHING: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)  # is there, or fits


class Channel:
    """Used by one thread. `socket`: to wait on; None while it is closed. Every method raises OSError, or redis's RedisError, where the
    connection is of no use any more; then `close` it."""

    def __init__(self, url: str) -> None:
        self._connection: Any = broker.connect(url).connection_pool.make_connection()
        self._reader = hiredis.Reader()
        self.socket: socket.socket | None = None

    def open(self, first: Sequence[Sequence[str]]) -> None:
        """Connect, and wait until the commands `first` were answered."""
        self._connection.connect()
        self._connection.send_packed_command(self._connection.pack_commands(first), check_health=False)
        for _ in first:
            self._connection.read_response()
        self._reader = hiredis.Reader()
        self.socket = self._connection._sock
        self.socket.setblocking(False)

    def send(self, commands: Sequence[Sequence[Any]]) -> None:
        """Put commands on the socket, in one write; what it does not take at once, it must take within `broker.TIMEOUT_S`."""
        assert self.socket
        packed = b"".join(pack_command(one) for one in commands)  # type: ignore[arg-type]  # its stub knows tuples of words
        try:
            sent = self.socket.send(packed)
        except _NOTHING:
            sent = 0
        if sent < len(packed):
            self.socket.settimeout(broker.TIMEOUT_S)
            self.socket.sendall(memoryview(packed)[sent:])
            self.socket.setblocking(False)

    def replies(self) -> Iterator[Any]:
        """The replies that are here, in order. An error reply raises ResponseError in its place."""
        while more := self._read():
            try:
                while (reply := self._reader.gets()) is not False:
                    if isinstance(reply, hiredis.ReplyError):
                        raise redis.ResponseError(str(reply))
                    yield reply
            except hiredis.ProtocolError as error:
                raise redis.InvalidResponse(str(error)) from error
            if more < _MOST and not self._pending():
                return

    def _read(self) -> int:
        """How many bytes came."""
        assert self.socket
        try:
            data = self.socket.recv(_MOST)
        except _NOTHING:
            return 0
        if not data:
            raise ConnectionError("Redis closed the connection")
        self._reader.feed(data)
        return len(data)

    def _pending(self) -> bool:
        """Whether TLS keeps bytes that its socket shows no more."""
        return isinstance(self.socket, ssl.SSLSocket) and bool(self.socket.pending())

    def close(self) -> None:
        """Disconnect; what was not answered will not be."""
        self.socket = None
        self._connection.disconnect()
