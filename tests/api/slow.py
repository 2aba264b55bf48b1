"""Clients that send a byte each half second until they are told off: ``python -m tests.api.slow PORT COUNT``.

A process of its own, so that they share no interpreter with those whom they might hurt. It says `here` before the first connects, and at
last how long each lasted and how many were told 408.
"""

import contextlib
import itertools
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field

POST = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
HEAD = POST + b"X: "
BODY = POST + b'Content-Length: 1000\r\n\r\n{"tas'
CHUNKS = POST + b"Transfer-Encoding: chunked\r\n\r\n400\r\n"
DRIP_S, PARTS = 0.5, 25  # a part of them after the other, as clients that know nothing of each other do


@dataclass
class Slow:
    """`ended`: how many seconds each of them lasted."""

    port: int
    begun: list[bytes]
    ended: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    def run(self) -> None:
        """Until the last one is cut."""
        started: dict[socket.socket, float] = {}
        with selectors.DefaultSelector() as selector:
            for sent in self.begun:
                client = socket.create_connection(("127.0.0.1", self.port), 5)
                client.setblocking(False)
                client.send(sent)
                started[client] = time.monotonic()
                selector.register(client, selectors.EVENT_READ)
            for turn in itertools.count():
                due = time.monotonic() + DRIP_S / PARTS
                while (left := due - time.monotonic()) > 0:
                    for key, _ in selector.select(left):
                        self._hear(key.fileobj, started, selector)
                for client in list(started)[turn % PARTS :: PARTS]:
                    with contextlib.suppress(OSError):
                        client.send(b"1")
                if not started:
                    return

    def _hear(self, client: object, started: dict[socket.socket, float], selector: selectors.BaseSelector) -> None:
        assert isinstance(client, socket.socket)
        with contextlib.suppress(ConnectionError):
            if said := client.recv(65536):
                self.answers.append(said)
                return
        self.ended.append(time.monotonic() - started.pop(client))
        selector.unregister(client)
        client.close()


def main(port: int, count: int) -> None:
    slow = Slow(port, [(HEAD, BODY, CHUNKS)[at % 3] for at in range(count)])
    print("here", flush=True)
    slow.run()
    print(json.dumps({"lasted": slow.ended, "told": sum(said.count(b"HTTP/1.1 408 ") for said in slow.answers)}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
