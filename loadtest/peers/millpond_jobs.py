"""Millpond, paced as its peers are: ``millpond_jobs pace PER_S COUNT`` submits over HTTP to the port in PEER_PORT.

Whether a job has its result is read in Redis, where RQ's contract has it. The requests are prepared, as another language's client
would be on another machine: what is measured is not Python's http.client, whose half a millisecond is this core's whole.
"""

import json
import os
import re
import socket
from threading import local

from loadtest.generator import LENGTH
from loadtest.peers import side
from loadtest.peers.payload import PAYLOAD

_BODY = json.dumps({"task": "noop", "args": [PAYLOAD]})
_HEAD = f"POST /v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(_BODY)}\r\n\r\n"
_REQUEST = (_HEAD + _BODY).encode()
_ID = re.compile(rb'"id": ?"([0-9a-f]{32})"')
_own = local()


def submit() -> side.Question:
    """Submit a job, on a connection of this thread's. Raises RuntimeError with the answer where that is no job."""
    if not hasattr(_own, "socket"):
        _own.socket = socket.create_connection(("127.0.0.1", int(os.environ["PEER_PORT"])))
        _own.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _own.socket.sendall(_REQUEST)
    answer = _answer(_own.socket)
    if not (found := _ID.search(answer)):
        raise RuntimeError(answer.decode())
    return "ZSCORE", "rq:finished:default", found[1].decode()


def _answer(connection: socket.socket) -> bytes:
    data = b""
    while more := connection.recv(65536):
        data += more
        end = data.find(b"\r\n\r\n")
        length = LENGTH.search(data, 0, end + 2) if end > 0 else None
        if length and len(data) >= end + 4 + int(length[1]):
            break
    return data


if __name__ == "__main__":
    side.blocking(submit)
