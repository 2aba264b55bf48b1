"""A small server in Millpond's place, that can lose, double, refuse and stall, and the command that is run against it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any, TypeVar
from uuid import uuid4

from loadtest.plan import Plan
from tests.pace import within
from tests.processes import ROOT

PLAN = Plan(
    url="http://127.0.0.1:1", requests=10, processes=3, timeout_s=3.0, classic=True, task="", args=(), journal=Path("none"), per_s=5.0
)
NOW = "2026-01-01T12:00:00.000Z"


class Intake(ThreadingHTTPServer):
    """Accepts jobs and lists them as recorded; but of each kept list `lose` jobs are missing and `double` are there twice."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jobs: list[dict[str, Any]] = []
        self.lose = self.double = 0
        self.refuse_every = 0
        self.asked = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def accept(self, tags: dict[str, str]) -> dict[str, Any]:
        job = {"id": uuid4().hex, "status": "finished", "tags": tags, "ended_at": NOW, "recorded_at": NOW}
        self.jobs.append(job)
        return job

    def hold(self) -> None:
        """Called before each answer to GET /."""

    def listed(self) -> list[dict[str, Any]]:
        return self.jobs[self.lose :] + [{**job, "id": uuid4().hex} for job in self.jobs[len(self.jobs) - self.double :]]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Intake

    def do_GET(self) -> None:
        if self.path.startswith("/v1/jobs"):
            self._answer(200, json.dumps({"jobs": self.server.listed(), "next": None}).encode())
            return
        job_id = self._body()["job_id"]
        self.server.hold()
        self.server.accept({"job_id": str(job_id)})
        self._answer(200, f"{job_id} add".encode())

    def do_POST(self) -> None:
        self.server.asked += 1
        body = self._body()
        if self.server.refuse_every and self.server.asked % self.server.refuse_every == 0:
            self._answer(422, b'{"code": "unknown_task", "detail": "No."}')
            return
        self._answer(202, json.dumps(self.server.accept(body["tags"])).encode())

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Stalling(Intake):
    """Answers the first requests of so many senders only when all are there and `stall_s` seconds have passed: one stall."""

    def __init__(self, senders: int, stall_s: float) -> None:
        super().__init__()
        self._all_there = Barrier(senders)
        self._stall_s = stall_s
        self._never = Event()
        self._to_hold = [None] * senders

    def hold(self) -> None:
        if self._to_hold:
            self._to_hold.pop()
            self._all_there.wait(within(10))
            self._never.wait(self._stall_s)


Server = TypeVar("Server", bound=Intake)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Let it answer for as long as the context."""
    with server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def burst(url: str, *options: str) -> tuple[int, list[str], str]:
    """Run the command: its exit code, the lines it prints, and what it says on standard error."""
    command = [sys.executable, "-m", "loadtest", "burst", "--url", url, "--wait-s", "1", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=within(60))
    return run.returncode, run.stdout.splitlines(), run.stderr
