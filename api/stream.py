"""A client's socket: Tornado's stream, and a way past it for requests that come whole and are answered in one block.

Around each read and each write Tornado has a future, a buffer, and a change of what epoll listens for: more than a submission costs
otherwise. So bytes that come while a connection rests are offered first; what is taken is read and answered right here, and what is
not stays in the buffer for Tornado's reader, as it came.
"""

import socket
from asyncio import Future
from collections.abc import Callable
from typing import Any

from tornado.iostream import IOStream, UnsatisfiableReadError
from tornado.log import app_log

Takes = Callable[[bytes], int | None]
"""What is offered all bytes that wait. It answers how many of them, from the first, it has taken for one request, which it will
`answer` or `decline`; 0: it must see more; None: they are not for it."""


class Stream(IOStream):
    """A socket that can rest, and whose pending read can be given up while it stays open for an answer."""

    _takes: Takes | None = None  # while it rests
    _in_hand = 0  # bytes at the head of the buffer: a request that was taken, until its answer

    # -- at rest ----------------------------------------------------------------------------------------------------------

    def rest(self, takes: Takes) -> "Future[None]":
        """Done when something is here that `takes` does not take; fails with StreamClosedError, or what it is interrupted with."""
        risen: Future[None] = self._start_read()
        if self.closed():
            self._rise()  # what is left in the buffer is for the reader
            return risen
        self._takes = takes
        self._add_io_state(self.io_loop.READ)
        if self._read_buffer:
            self._offer()
        return risen

    def _handle_events(self, fd: Any, events: int) -> None:
        if self._takes is None or events != self.io_loop.READ:
            super()._handle_events(fd, events)
            return
        data = self._receive()
        if not data:
            return
        self._read_buffer += data
        self._read_buffer_size += len(data)
        if not self._in_hand:
            self._offer()
        else:  # the next request before this one's answer: what follows it waits in the kernel
            self._state = (self._state or 0) & ~self.io_loop.READ
            self.io_loop.update_handler(fd, self._state)

    def _receive(self) -> bytes:
        """What has come; nothing also where it closed."""
        try:
            data: bytes = self.socket.recv(self.read_chunk_size)
        except BlockingIOError:
            return b""
        except OSError as error:
            self.close(error)
            return b""
        if not data:
            self.close()
        return data

    def _offer(self) -> None:
        assert self._takes
        try:
            taken = self._takes(bytes(self._read_buffer))
        except Exception:
            app_log.error("Uncaught exception", exc_info=True)
            self.close()
            return
        if taken is None:
            self._rise()
        else:
            self._in_hand = taken

    def answer(self, data: bytes) -> None:
        """The whole answer to the request that was taken."""
        if self.closed():
            return
        del self._read_buffer[: self._in_hand]
        self._read_buffer_size = len(self._read_buffer)
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.close(error)
            return
        if sent < len(data):  # rare, and slow
            self.write(data[sent:]).add_done_callback(lambda _: self._rise())
            return
        self._in_hand = 0
        if self._read_buffer:
            self._add_io_state(self.io_loop.READ)
            self._offer()

    def decline(self) -> None:
        """Let the request that was taken be read again, by Tornado's reader."""
        self._rise()

    def _rise(self) -> None:
        self._takes, self._in_hand = None, 0
        future, self._read_future = self._read_future, None
        if future is not None and not future.done():
            future.set_result(None)

    @property
    def in_hand(self) -> bool:
        """Whether a request was taken whose answer is not written yet."""
        return self._in_hand > 0

    @property
    def in_part(self) -> bool:
        """Whether some of a request is here that will be taken when the rest of it comes."""
        return self._takes is not None and not self._in_hand and self._read_buffer_size > 0

    # -- for Tornado's reader ---------------------------------------------------------------------------------------------

    def close(self, exc_info: Any = False) -> None:
        """Close it; but what only does not fit the reader's limit is the reader's to answer."""
        if isinstance(exc_info, UnsatisfiableReadError) and self._read_future is not None:
            self.interrupt(exc_info)
        else:
            self._takes = None  # which leads back here: no cycle is left to be collected
            super().close(exc_info)

    def interrupt(self, error: Exception) -> None:
        """Let whoever waits for bytes have this error instead."""
        self._takes = None
        future, self._read_future = self._read_future, None
        self._read_bytes = self._read_delimiter = self._read_regex = self._read_max_bytes = None
        self._read_partial = False
        if future is not None and not future.done():
            future.set_exception(error)

    def set_nodelay(self, value: bool) -> None:
        """Nothing: Tornado asks twice a request, and all that we write is to leave at once, from the first (`send_at_once`)."""

    def send_at_once(self) -> None:
        """Never wait for more to fill a packet."""
        if self.socket.family in (socket.AF_INET, socket.AF_INET6):
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def buffered(self) -> int:
        """Bytes that came and nobody has read."""
        return self._read_buffer_size

    @property
    def taken(self) -> int:
        """Bytes that the kernel has taken for the other side so far."""
        return self._total_write_done_index

    @property
    def unread(self) -> int:
        """Bytes written that the kernel has not taken yet."""
        return len(self._write_buffer) if self._write_buffer else 0

    def first_line_within(self, size: int) -> bool:
        """Whether the bytes that wait begin with a line of at most `size`."""
        return 0 <= self._read_buffer.find(b"\r\n") <= size
