"""A reader of one event stream, in a thread of its own."""

import json
import socket
import threading
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Self

from tests.api.replica import Replica


@dataclass(frozen=True, slots=True)
class Heard:
    """One event."""

    name: str
    id: str
    document: dict[str, Any]


class Listener:
    """GET /v1/jobs/{id}/events; `events` grows as they come. `over` is set when the stream is, `clean` if it ended as HTTP says."""

    def __init__(self, replica: Replica, id: str, last: str | None = None) -> None:
        self.events: list[Heard] = []
        self.comments: list[str] = []
        self.retry_ms = 0
        self.over = threading.Event()
        self.clean = False
        self._connection = HTTPConnection("127.0.0.1", replica.port, timeout=30)
        self._connection.request("GET", f"/v1/jobs/{id}/events", headers={} if last is None else {"Last-Event-ID": last})
        self._answer = self._connection.getresponse()
        self.status, self.headers = self._answer.status, self._answer.headers
        self._thread = threading.Thread(target=self._read, args=(self._answer,), daemon=True)
        self._thread.start()

    def _read(self, answer: HTTPResponse) -> None:
        fields: dict[str, str] = {}
        try:
            for raw in answer:
                line = raw.decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if line:
                    fields[name] = value
                else:
                    self._hear(fields)
                    fields = {}
            self.clean = not fields
        except (HTTPException, OSError):
            pass
        finally:
            self.over.set()

    def _hear(self, fields: dict[str, str]) -> None:
        if "data" in fields:
            self.events.append(Heard(fields["event"], fields["id"], json.loads(fields["data"])))
        if "" in fields:
            self.comments.append(fields[""])
        self.retry_ms = int(fields.get("retry", self.retry_ms))

    @property
    def names(self) -> list[str]:
        """What was heard, a state by its status."""
        return [one.document["status"] if one.name == "state" else one.name for one in list(self.events)]

    @property
    def last(self) -> str:
        """The id with which to come back."""
        return self.events[-1].id

    def close(self) -> None:
        """Leave."""
        if self._connection.sock:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
