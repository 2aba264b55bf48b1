"""HTTP by the byte: what a client of bad manners or bad will sends, and what comes back."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse
from io import BytesIO
from typing import Any

from tests.api.replica import Replica, receive

POST = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
JOB = b'{"task":"add","args":[1]}'


@dataclass(frozen=True)
class Answer:
    """One answer; `problem`: its body, where that is JSON."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document


def post(*lines: bytes, body: bytes = b"") -> bytes:
    """A submission with these header lines more."""
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def whole(body: bytes = JOB) -> bytes:
    """A submission as it should be."""
    return post(b"Content-Length: %d" % len(body), body=body)


def chunk(data: bytes) -> bytes:
    """One chunk of a body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def talk(api: Replica, *pieces: bytes, timeout_s: float = 5) -> list[Answer]:
    """Send over one connection and answer all that comes until the other side closes it (or says no more for `timeout_s`)."""
    with api.connect(timeout_s) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for piece in pieces:
                connection.sendall(piece)
        return list(answers(receive(connection)))


def answers(received: bytes) -> Iterator[Answer]:
    """The answers in what was received, one after the other."""
    rest = BytesIO(received)
    while rest.tell() < len(received):
        with HTTPResponse(_Received(rest)) as answer:  # type: ignore[arg-type]  # it only ever asks for a file
            answer.begin()
            yield Answer(answer.status, answer.headers, answer.read())


class _Received:
    """What HTTPResponse takes for a socket: bytes that are here already, not to be closed with the first answer."""

    def __init__(self, rest: BytesIO) -> None:
        self._rest = rest

    def makefile(self, _: str) -> "_Received":
        return self

    def close(self) -> None:
        """The next answer is read from the same bytes."""

    def flush(self) -> None:
        """Nothing to do."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rest, name)
