"""What a child and its runners say to each other: frames on a socket pair, a head of JSON and a body of bytes as they are.

Child to runner:  orders {..} | run EXECUTION TASK {context} + [args, kwargs] | stop EXECUTION WHY
Runner to child:  ready | told EXECUTION | report EXECUTION + progress | said EXECUTION DROPPED + rows |
                  ended EXECUTION RESIDENT_KB KIND .. + result

`told`: a stop was heard and something raised. A kind that the reader does not know is passed over.
"""

import socket
import struct
from collections.abc import Callable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, Self

import orjson

_SIZES: Final = struct.Struct("!II")
_CHUNK: Final = 262_144

Frame = tuple[list[Any], bytes]


def frame(*head: Any, body: bytes = b"") -> bytes:
    """One frame."""
    text = orjson.dumps(head)
    return _SIZES.pack(len(text), len(body)) + text + body


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are whole with `data`."""
        rest = self._rest
        rest += data
        while len(rest) >= _SIZES.size:
            head, body = _SIZES.unpack_from(rest)
            end = _SIZES.size + head + body
            if len(rest) < end:
                return
            yield orjson.loads(rest[_SIZES.size : _SIZES.size + head]), bytes(rest[_SIZES.size + head : end])
            del rest[:end]


class Link:
    """A runner's end. A thread of its own writes, so that an interrupt in the midst of `say` cuts no frame."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._frames = Frames()
        self._queue: SimpleQueue[Callable[[], bytes]] = SimpleQueue()
        Thread(target=self._write, name="link", daemon=True).start()

    @classmethod
    def inherited(cls, fd: int) -> Self:
        """The link over a socket that this process was started with; programs that it starts do not get it."""
        end = socket.socket(fileno=fd)
        end.set_inheritable(False)
        return cls(end)

    def say(self, *head: Any, body: bytes = b"") -> None:
        """Send a frame; never blocks."""
        self.say_later(partial(frame, *head, body=body))

    def say_later(self, made: Callable[[], bytes]) -> None:
        """Send the frame, or nothing, that `made` answers in the writer's thread, where no other call of it runs and no interrupt comes."""
        self._queue.put(made)

    def hear(self) -> Iterator[Frame]:
        """The next frames; waits for them. Raises EOFError when the child is gone or wants this runner to end."""
        try:
            data = self._socket.recv(_CHUNK)
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        yield from self._frames.feed(data)

    def _write(self) -> None:
        while True:
            made = [self._queue.get()]
            while not self._queue.empty():  # nobody else takes
                made.append(self._queue.get())
            try:
                self._socket.sendall(b"".join([one() for one in made]))
            except OSError:
                return  # the child is gone: `hear` tells
