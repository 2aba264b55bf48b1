"""The hot path and the plain handler answer the same to the same bytes, whatever the bytes (issue 3, 2)."""

import re
from typing import Self

import pytest

from tests.api.fuzz import bodies
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.api.test_bad_input import CASES

BODIES, FULL_BODIES = 2_000, 100_000
SILENCES = 10  # of Redis, a second each
PLAIN = "Prefer: handling=lenient\r\n"  # which the plain handler ignores; the hot path leaves it every preference

# What two jobs made one after the other differ in.
_OWN = re.compile(rb'[0-9a-f]{32}|"\d{4}-\d\d-\d\dT[0-9:.]+Z"|Date: [^\r]+')


class Pipe:
    """One raw connection that is never closed by either side."""

    def __init__(self, replica: Replica) -> None:
        self._socket = replica.connect()
        self._file = self._socket.makefile("rb")

    def ask(self, body: bytes, more: str = "", kind: str = "application/json") -> bytes:
        """The whole answer to a submission, but for what every job has for itself. Asked again where Redis was silent: what a stalled
        disk does to one of two answers says nothing of them."""
        head = (
            f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nX-Request-Id: same\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        )
        for _ in range(SILENCES):
            self._socket.sendall(head.encode() + body)
            lines = list(iter(self._file.readline, b"\r\n"))
            length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
            content = self._file.read(length)
            if not lines[0].startswith(b"HTTP/1.1 503 "):
                break
        return _OWN.sub(b"", b"".join(lines) + content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


@pytest.mark.timeout(900)
def test_the_same_bytes_have_the_same_answer(api: Replica, hand: Hand, full: bool) -> None:
    statuses = set()
    with Pipe(api) as hot, Pipe(api) as plain:
        for number, body in enumerate(bodies(seed=3, count=FULL_BODIES if full else BODIES)):
            answer = hot.ask(body)
            assert answer == plain.ask(body, PLAIN), body
            statuses.add(answer[9:12])
            if number % 10_000 == 0:
                hand.client.flushdb()
                hand.offer()
    assert statuses >= {b"202", b"400", b"422"}


def test_each_known_fault_has_the_same_answer(api: Replica) -> None:
    with Pipe(api) as hot, Pipe(api) as plain:
        for name, case in CASES.items():
            if len(case.body) < 1_000_000:
                kind = case.headers.get("Content-Type", "")
                assert hot.ask(case.body, kind=kind) == plain.ask(case.body, PLAIN, kind), name


def test_a_repeated_key_has_the_same_answer(api: Replica) -> None:
    body, another = b'{"task":"add","args":[1]}', b'{"task":"add","args":[2]}'
    with Pipe(api) as hot, Pipe(api) as plain:
        for key in ("a", '"b"', '"c', "", "d\r\nIdempotency-Key: e"):
            header = f"Idempotency-Key: {key}\r\n"
            first, again = hot.ask(body, header), hot.ask(body + b" ", header)
            other = hot.ask(another, header)
            assert again == plain.ask(body, header + PLAIN), key
            assert other == plain.ask(another, header + PLAIN), key
            assert (first[9:12], other[9:12]) in ((b"202", b"422"), (b"400", b"400"))
