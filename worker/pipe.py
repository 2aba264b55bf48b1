"""The pipe between parent and child: lines of words, both ways. Its end of file tells each that the other is gone.

Parent to child: ``drain`` | ``stop job ID`` | ``stop execution ID``.   Child to parent: ``ready`` | ``leaving REASON`` |
``counts JSON``.
"""

import contextlib
import socket

_CHUNK = 65536


class Pipe:
    """One end. Saying never blocks; `hear` blocks if the socket does."""

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._rest = b""

    def fileno(self) -> int:
        """For selectors."""
        return self.socket.fileno()

    def say(self, *words: str) -> None:
        """Send one line. Lost if the other end is gone or reads nothing: its end is seen elsewhere, and nothing depends on it."""
        with contextlib.suppress(OSError):
            self.socket.send(" ".join(words).encode() + b"\n", socket.MSG_DONTWAIT)

    def hear(self) -> list[list[str]]:
        """The lines that have arrived, as words. Raises EOFError when the other end is gone."""
        try:
            data = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return []
        except OSError as error:
            raise EOFError from error
        if not data:
            raise EOFError
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line.decode().split() for line in lines]

    def close(self) -> None:
        """Close this end."""
        self.socket.close()
