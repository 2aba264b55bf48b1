"""Cutting a stream of RESP2 or RESP3 bytes into whole requests and replies, without decoding what is inside."""

_SINGLE = frozenset(b"+-:_#,(")  # the line is the value
_BULK = frozenset(b"$=!")  # the line says how many bytes follow
_MANY = {ord("*"): 1, ord("~"): 1, ord(">"): 1, ord("%"): 2}  # the line says how many values (or pairs) follow
_ATTRIBUTE = ord("|")  # pairs that stand before a value and are not one


class Frames:
    """Feed it bytes as they arrive; it gives back each complete value, still encoded."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0  # scanned up to here
        self._missing = 1  # values that must still come before the frame is whole

    def feed(self, data: bytes) -> list[bytes]:
        """Add `data`; answers the frames that it completes, in order. Raises ValueError if it is not RESP."""
        self._buffer += data
        frames = []
        while self._step():
            if self._missing == 0:
                frames.append(bytes(self._buffer[: self._at]))
                del self._buffer[: self._at]
                self._at, self._missing = 0, 1
        return frames

    def _step(self) -> bool:
        """Scan one value's line (and its bytes); False if they have not all arrived."""
        end = self._buffer.find(b"\r\n", self._at)
        if end < 0:
            return False
        kind, after = self._buffer[self._at], end + 2
        if kind in _SINGLE:
            self._missing -= 1
        elif kind in _BULK:
            length = int(self._buffer[self._at + 1 : end])
            after += length + 2 if length >= 0 else 0
            if len(self._buffer) < after:
                return False
            self._missing -= 1
        elif kind in _MANY:
            self._missing += max(0, int(self._buffer[self._at + 1 : end])) * _MANY[kind] - 1
        elif kind == _ATTRIBUTE:
            self._missing += int(self._buffer[self._at + 1 : end]) * 2
        else:
            raise ValueError(f"not RESP: {bytes(self._buffer[self._at : end])!r}")
        self._at = after
        return True


def words(request: bytes, limit: int) -> list[bytes]:
    """The first `limit` words of a request (an array of bulk strings)."""
    at = request.index(b"\r\n") + 2
    found: list[bytes] = []
    count = int(request[1 : at - 2])
    while len(found) < min(limit, count):
        end = request.index(b"\r\n", at)
        length = int(request[at + 1 : end])
        found.append(request[end + 2 : end + 2 + length])
        at = end + 2 + length + 2
    return found
