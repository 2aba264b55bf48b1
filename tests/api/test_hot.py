"""The hot path and the plain handler answer the same to the same bytes, whatever the bytes (issue 3, 2)."""

import random
import re
from collections.abc import Iterator
from typing import Self

import orjson

from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.api.test_bad_input import CASES

BODIES, FULL_BODIES = 1_000, 100_000
PLAIN = "Prefer: handling=lenient\r\n"  # which the plain handler ignores; the hot path leaves it every preference

# What two jobs made one after the other differ in.
_OWN = re.compile(rb'[0-9a-f]{32}|"\d{4}-\d\d-\d\dT[0-9:.]+Z"|Date: [^\r]+')


class Pipe:
    """One raw connection that is never closed by either side."""

    def __init__(self, replica: Replica) -> None:
        self._socket = replica.connect()
        self._file = self._socket.makefile("rb")

    def ask(self, body: bytes, more: str = "", kind: str = "application/json") -> bytes:
        """The whole answer to a submission, but for what every job has for itself."""
        head = (
            f"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nX-Request-Id: same\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        )
        self._socket.sendall(head.encode() + body)
        lines = list(iter(self._file.readline, b"\r\n"))
        length = next(int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:"))
        return _OWN.sub(b"", b"".join(lines) + self._file.read(length))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """Valid ones, ones that break a rule, and both with bytes changed, moved and lost."""
    chance = random.Random(seed)
    parts: list[tuple[str, list[object], float]] = [
        ("task", ["add", "echo", "sleep", "nobody", 7, None, "add\u0000"], 0.95),
        ("args", [[1], [1, 2], [], ["x"], {}, [[1, [2, {"a": None}]]], [1e300], [2**63 - 1], ["\u00e9\U0001f600"]], 0.8),
        ("kwargs", [{}, {"b": 3}, {"value": {"deep": [True]}}, {"c": 1}, [], {"": ""}], 0.5),
        ("queue", ["default", "other", "Bad", 1], 0.05),
        ("delay_s", [0, 1.5, -1, "1"], 0.05),
        ("tags", [{}, {"a": "b"}, {"a b": "c"}, {"a": 1}], 0.05),
        ("front", [True, False, 1], 0.05),
        ("retry", [{}, {"max_attempts": 3}, {"max_attempts": 0}], 0.05),
        ("unknown", [1], 0.03),
    ]
    for _ in range(count):
        document = {name: chance.choice(values) for name, values, odds in parts if chance.random() < odds}
        raw = bytearray(orjson.dumps(document))
        for _ in range(chance.choice((0, 0, 0, 1, 3))):
            at = chance.randrange(len(raw))
            match chance.randrange(4):
                case 0:
                    raw[at] = chance.randrange(256)
                case 1:
                    del raw[at : at + chance.randrange(1, 6)]
                case 2:
                    raw[at:at] = chance.choice((b'"', b"{", b"]", b",", b"\\u0000", b"\\ud800", b"NaN", b"9" * 25, b" ", b"\x00"))
                case 3:
                    raw += raw[at:]
            if not raw:
                break
        yield bytes(raw)


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
    assert statuses == {b"202", b"400", b"422"}


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
