"""A replica of the API as a process of its own, and ways to talk to it: answers that /openapi.json does not describe fail."""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Self

import httpx2

from tests.api import contract
from tests.processes import Process, children, free_port


class Replica(Process):
    """gunicorn with our worker class on a free loopback port. `settings`: MILLPOND_* by the names after that."""

    def __init__(self, folder: Path, redis_url: str, database_url: str, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        given = {"REDIS_URL": redis_url, "DATABASE_URL": database_url, "HOST": "127.0.0.1", "PORT": self.port, **settings}
        env = {f"MILLPOND_{name.upper()}": str(value) for name, value in given.items()}
        command = [sys.executable, "-m", "gunicorn", "-c", "api/gunicorn.conf.py", "api.wsgi:app"]
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(command, folder / f"api-{self.port}.log", env)
        self.http = self._client()

    def _client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=10, event_hooks={"response": [contract.check]})

    def launch(self) -> Self:
        """Start it, also once more."""
        if self.http.is_closed:
            self.http = self._client()
        return super().launch()

    def ready(self) -> bool:
        try:
            return self.http.get("/livez").status_code == 200
        except httpx2.TransportError:
            return False

    def is_ready(self) -> bool:
        """Whether it wants work."""
        return bool(self.http.get("/readyz").status_code == 200)

    def close(self) -> None:
        self.http.close()
        if self.alive:
            for pid in [self.pid, *children(self.pid)]:
                os.kill(pid, signal.SIGKILL)
            self.wait()

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far; every line must be one JSON object."""
        return [json.loads(line) for line in self.output().splitlines()]

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log lines of one event."""
        return [line for line in self.lines() if line["event"] == name]

    def submit(self, body: object, **headers: str) -> httpx2.Response:
        """POST /v1/jobs."""
        return self.http.post("/v1/jobs", json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def job(self, id: str) -> dict[str, Any]:
        """GET /v1/jobs/{id}, which must be there."""
        answer = self.http.get(f"/v1/jobs/{id}")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def connect(self, timeout_s: float = 10) -> socket.socket:
        """A raw connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout_s)


def receive(connection: socket.socket) -> bytes:
    """What comes until the other side closes, or falls silent for the socket's time-out."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return received
