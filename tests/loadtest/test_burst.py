"""The whole command against a small server that can lose and double: it is found out, and the exit code says so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest

from loadtest.journal import Journal
from tests.processes import ROOT, free_port

NOW = "2026-01-01T12:00:00.000Z"


class Intake(ThreadingHTTPServer):
    """Accepts jobs and lists them as recorded; but of each kept list `lose` jobs are missing and `double` are there twice."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
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

    def listed(self) -> list[dict[str, Any]]:
        return self.jobs[self.lose :] + [{**job, "id": uuid4().hex} for job in self.jobs[len(self.jobs) - self.double :]]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Intake

    def do_GET(self) -> None:
        if self.path.startswith("/v1/jobs"):
            self._answer(200, json.dumps({"jobs": self.server.listed(), "next": None}).encode())
            return
        job_id = self._body()["job_id"]
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


@pytest.fixture
def intake() -> Iterator[Intake]:
    with Intake() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def burst(url: str, *options: str) -> tuple[int, list[str]]:
    command = [sys.executable, "-m", "loadtest", "burst", "--url", url, "--wait-s", "1", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert not run.stderr
    return run.returncode, run.stdout.splitlines()


SIZE = ["--requests", "30", "--processes", "3"]


@pytest.mark.parametrize("form", [["--classic"], []], ids=["classic", "v1"])
def test_all_is_well(intake: Intake, form: list[str], tmp_path: Path) -> None:
    journal = tmp_path / "journal.ndjson"
    code, lines = burst(intake.url, *SIZE, *form, "--journal", str(journal))
    assert code == 0
    assert lines[0] == "100.0% request success!"
    assert lines[1].startswith("latency ms: p50 ")
    assert lines[2:] == ["accepted 30 recorded 30 lost 0 duplicate 0", "recorded_at - ended_at s: p50 0.000 p99 0.000"]
    entries = Journal(journal).read()
    assert len({entry.n for entry in entries}) == len({entry.key for entry in entries}) == 30
    assert all(bool(entry.id) == (not form) for entry in entries)


@pytest.mark.parametrize("form", [["--classic"], []], ids=["classic", "v1"])
def test_what_is_lost_or_doubled_is_counted(intake: Intake, form: list[str]) -> None:
    intake.lose, intake.double = 4, 2
    code, lines = burst(intake.url, *SIZE, *form)
    assert (code, lines[0], lines[2]) == (1, "100.0% request success!", "accepted 30 recorded 26 lost 4 duplicate 2")


def test_a_refused_request_is_no_success(intake: Intake) -> None:
    intake.refuse_every = 3
    code, lines = burst(intake.url, "--requests", "30", "--processes", "1")
    assert code == 1
    assert lines[0].startswith("66.66")
    assert lines[2] == "failed: 10 x 422 unknown_task"
    assert lines[3] == "accepted 20 recorded 20 lost 0 duplicate 0"


def test_nobody_there(tmp_path: Path) -> None:
    code, lines = burst(f"http://127.0.0.1:{free_port()}", "--requests", "2", "--processes", "2", "--timeout", "0.5")
    assert (code, lines[0], lines[-2]) == (1, "0.0% request success!", "accepted 0 recorded 0 lost 0 duplicate 0")
