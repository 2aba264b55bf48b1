"""A load generator cheap enough not to be what is measured: prepared HTTP/1.1 requests on keep-alive sockets, one thread, epoll.

It understands only what the measured servers send: a status line and a Content-Length. Requests differ in a number of twelve
digits. Closed loop: each connection sends again when it was answered. Open loop: requests are due at fixed times, and an
answer's latency counts from then, so that a server that stalls cannot hide it (coordinated omission).

As a process of its own: ``python -m loadtest.generator`` reads a `Load` as JSON and prints an `Outcome`.
"""

import re
import select
import socket
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field

import orjson

LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)
_READ_BYTES = 256 << 10
_CONNECT_S = 10.0
_DIGITS = 10**11  # added to a request's number, so that it always has twelve digits
NO_ANSWER = 0  # as a status


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send. `before` and `after` are the JSON body around the number; `first` is the first number. It ends after
    `seconds`, or after so many `requests` if that is not 0. `per_s`: requests due a second; 0 is the closed loop. `headers`: more
    lines of each request's head, each with its end. `grace_s`: how long the last answers are waited for."""

    port: int
    path: str
    before: str
    after: str
    first: int = 0
    connections: int = 64
    seconds: float = 3.0
    requests: int = 0
    per_s: float = 0.0
    headers: str = ""
    method: str = "POST"
    grace_s: float = 10.0

    def body(self, number: int) -> bytes:
        """The body of one request."""
        return f"{self.before}{_DIGITS + number}{self.after}".encode()

    def frame(self) -> tuple[bytes, bytes]:
        """A whole request before and after its number."""
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nContent-Type: application/json\r\n{self.headers}"
        return f"{head}Content-Length: {len(self.body(0))}\r\n\r\n{self.before}".encode(), self.after.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it: answers by status (0: none came), from the first request to the last answer. `cpu_s`: the generator's own.
    `answer_bytes`: the body of the last answer. `latencies_s`: of each answer in an open loop."""

    statuses: dict[int, int]
    seconds: float
    cpu_s: float
    answer_bytes: int
    latencies_s: list[float] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Requests that were answered, well or not."""
        return sum(often for status, often in self.statuses.items() if status != NO_ANSWER)

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds


class _Line:
    """One connection, with at most one request on the way."""

    __slots__ = ("answer_bytes", "busy", "due", "rest", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), _CONNECT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.rest = b""
        self.due = 0.0
        self.busy = False
        self.answer_bytes = 0

    def put(self, request: bytes, due: float) -> None:
        self.due, self.busy = due, True
        if self.socket.send(request) != len(request):
            raise ConnectionError("a request does not fit into an idle socket")

    def take(self) -> int | None:
        """The status of the answer; None while it is not whole. Raises ConnectionError if the server closed."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("closed by the server")
        data = self.rest + data
        end = data.find(b"\r\n\r\n")
        length = LENGTH.search(data, 0, end + 2) if end > 0 else None
        if length is None or len(data) < end + 4 + int(length[1]):
            self.rest = data
            return None
        self.rest, self.busy = b"", False
        self.answer_bytes = int(length[1])
        return int(data[9:12])


class Generator:
    """One run of a load."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._before, self._after = load.frame()
        self._number = _DIGITS + load.first
        self._end = self._number + (load.requests or _DIGITS)
        self._epoll = select.epoll()  # before the connections: select(2) takes no file number above 1,023
        self._lines = {line.socket.fileno(): line for line in (_Line(load.port) for _ in range(load.connections))}
        self._idle = deque(self._lines.values())
        for number in self._lines:
            self._epoll.register(number, select.EPOLLIN)
        self._statuses: Counter[int] = Counter()
        self._latencies: list[float] = []
        self._answer_bytes = 0

    def run(self) -> Outcome:
        """Send all, take all answers, close."""
        began, cpu = time.monotonic(), time.process_time()
        last = self._open(began) if self._load.per_s else self._closed(began)
        for line in self._lines.values():
            self._statuses[NO_ANSWER] += line.busy
            line.socket.close()
        self._epoll.close()
        return Outcome(
            statuses=dict(+self._statuses),
            seconds=max(last - began, 1e-6),
            cpu_s=time.process_time() - cpu,
            answer_bytes=self._answer_bytes,
            latencies_s=self._latencies,
        )

    def _closed(self, began: float) -> float:
        until = last = began + self._load.seconds
        for _ in range(len(self._idle)):
            self._send(began)
        busy = len(self._lines) - len(self._idle)
        while busy and (ready := self._epoll.poll(self._load.grace_s)):
            last = time.monotonic()
            for number, _ in ready:
                if self._take(number) and not (last < until and self._send(last)):
                    busy -= 1
        return last

    def _open(self, began: float) -> float:
        gap, last = 1 / self._load.per_s, began
        count = round(min(self._load.seconds * self._load.per_s, self._load.requests or _DIGITS))
        sent, give_up = 0, began + count * gap + self._load.grace_s
        while sent < count or len(self._idle) < len(self._lines):
            now = time.monotonic()
            if now > give_up or not self._lines:
                break
            while sent < count and self._idle and (due := began + sent * gap) <= now:
                self._send(due)
                sent += 1
            may_send = sent < count and self._idle
            # epoll rounds its time-out up to a millisecond; select does not.
            select.select([self._epoll], [], [], max(0.0, began + sent * gap - now) if may_send else max(0.0, give_up - now))
            for number, _ in self._epoll.poll(0):
                last = time.monotonic()
                line = self._lines[number]
                if self._take(number):
                    self._latencies.append(last - line.due)
        self._statuses[NO_ANSWER] += count - sent
        return last

    def _send(self, due: float) -> bool:
        """Send the next request on an idle connection; False if there is none left of either."""
        if self._number == self._end or not self._idle:
            return False
        self._idle.popleft().put(b"%b%d%b" % (self._before, self._number, self._after), due)
        self._number += 1
        return True

    def _take(self, number: int) -> bool:
        """Read from a connection; whether its request is settled. A connection that fails is not used again."""
        line = self._lines[number]
        try:
            status = line.take()
        except ConnectionError:
            self._statuses[NO_ANSWER] += line.busy
            if not line.busy:
                self._idle.remove(line)
            del self._lines[number]
            line.socket.close()
            return line.busy
        if status is None:
            return False
        self._statuses[status] += 1
        self._answer_bytes = line.answer_bytes
        self._idle.append(line)
        return True


def main() -> None:
    """Run the load on standard input."""
    outcome = Generator(Load(**orjson.loads(sys.stdin.buffer.read()))).run()
    sys.stdout.buffer.write(orjson.dumps(outcome, option=orjson.OPT_NON_STR_KEYS))


if __name__ == "__main__":
    main()
