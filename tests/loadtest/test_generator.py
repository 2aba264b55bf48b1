"""The generator against small servers that answer as they are told: all answers are counted, and what is not one is seen."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any

import pytest

from loadtest.generator import NO_ANSWER, Generator, Load

OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"
FULL = b"HTTP/1.1 503 Full\r\ncontent-length: 0\r\n\r\n"


class Server:
    """Answers each request with what `answer` says for its turn: bytes, or None to close."""

    def __init__(self, answer: Callable[[int], bytes | None]) -> None:
        self._answer = answer
        self._lock = Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.requests: list[bytes] = []

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := connection.recv(65536):
                with self._lock:
                    self.requests.append(request)
                    answer = self._answer(len(self.requests))
                if answer is None:
                    return
                connection.sendall(answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@contextmanager
def serving(answer: Callable[[int], bytes | None]) -> Iterator[Server]:
    server = Server(answer)
    thread = Thread(target=server.accept)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join()


def load(server: Server, **more: Any) -> Load:
    usual: dict[str, Any] = {"path": "/v1/jobs", "before": '{"n": ', "after": "}", "connections": 4, "requests": 50, "seconds": 30.0}
    return Load(port=server.port, **(usual | more))


def bodies(server: Server) -> set[bytes]:
    return {request.partition(b"\r\n\r\n")[2] for request in server.requests}


def test_every_answer_is_counted_and_every_body_differs() -> None:
    with serving(lambda turn: OK) as server:
        outcome = Generator(load(server)).run()
    assert outcome.statuses == {202: 50}
    assert outcome.answer_bytes == 2
    assert bodies(server) == {b'{"n": %d}' % (100_000_000_000 + n) for n in range(50)}
    assert b"Content-Length: 19\r\n" in server.requests[0]


def test_it_ends_after_its_seconds() -> None:
    with serving(lambda turn: OK) as server:
        outcome = Generator(load(server, requests=0, seconds=0.05)).run()
    assert outcome.answered == len(server.requests) > 0
    assert outcome.per_s > 0


def test_other_answers_are_counted_by_status() -> None:
    with serving(lambda turn: FULL if turn % 5 == 0 else OK) as server:
        assert Generator(load(server)).run().statuses == {202: 40, 503: 10}


@pytest.mark.parametrize("per_s", [0.0, 2000.0])
def test_a_closed_connection_is_no_answer(per_s: float) -> None:
    with serving(lambda turn: None if turn == 7 else OK) as server:
        assert Generator(load(server, per_s=per_s)).run().statuses == {202: 49, NO_ANSWER: 1}


@pytest.mark.parametrize("per_s", [0.0, 2000.0])
def test_silence_is_no_answer(per_s: float) -> None:
    with serving(lambda turn: b"" if turn > 10 else OK) as server:
        outcome = Generator(load(server, connections=2, per_s=per_s, requests=12, grace_s=0.1)).run()
    assert outcome.statuses == {202: 10, NO_ANSWER: 2}


def test_another_method_is_sent_as_told() -> None:
    with serving(lambda turn: OK) as server:
        Generator(load(server, method="GET", requests=1, connections=1)).run()
    assert server.requests[0].startswith(b"GET /v1/jobs HTTP/1.1\r\n")


def test_an_open_loop_counts_the_wait_for_a_server_that_stalls() -> None:
    stall, stalled_s = Event(), 0.2

    def answer(turn: int) -> bytes:
        if turn == 1:
            stall.wait(stalled_s)
        return OK

    with serving(answer) as server:
        began = time.monotonic()
        outcome = Generator(load(server, connections=1, requests=20, per_s=100.0)).run()
    assert outcome.statuses == {202: 20}
    assert time.monotonic() - began >= 0.19, "the last one is due only then"
    assert len(outcome.latencies_s) == 20
    # The one that stalled, and those that were due meanwhile and had no connection.
    assert sum(latency >= stalled_s / 2 for latency in outcome.latencies_s) >= 10
