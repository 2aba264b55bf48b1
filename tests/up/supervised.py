"""A real `millpond up` as tests see it: its process, its children, its HTTP API."""

import json
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.processes import Process, children, exists, free_port
from tests.until import until

READY_S = 60.0


class Up(Process):
    """`millpond up` on a data folder; output goes to a file beside it."""

    ready_s = READY_S
    first_accepted_s = 0.0

    def __init__(self, data: Path, *words: str, port: int = 0) -> None:
        self.data = data
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        script = Path(sys.executable).with_name("millpond")
        super().__init__([script, "up", "--data", data, "--port", str(self.port), *words], data.with_suffix(".out"))

    def ready(self) -> bool:
        return "Millpond is ready" in self.since_start()

    def launch(self) -> "Up":
        self._before = len(self.output())
        return super().launch()

    def since_start(self) -> str:
        """What it printed since it was last started."""
        return self.output()[self._before :]

    def family(self) -> dict[int, str]:
        """Every living descendant: pid and command line."""
        found = {}
        for pid in children(self.pid):
            try:
                found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (FileNotFoundError, ProcessLookupError):
                continue
        return found

    def leader(self, command: str) -> int:
        """The pid of the part with that command line among those that `millpond up` itself started."""
        return until(lambda: next(iter(self._started_here(command)), 0), 20, f"{command} runs")

    def _started_here(self, command: str) -> list[int]:
        direct = {int(pid) for task in Path(f"/proc/{self.pid}/task").glob("*/children") for pid in task.read_text().split()}
        return [pid for pid, line in self.family().items() if pid in direct and re.search(command, line)]

    def ends_with(self, number: signal.Signals, status: int) -> None:
        """Send a signal; require that it ends with that status and leaves no process behind."""
        family = list(self.family())
        self.signal(number)
        assert self.wait(60) == status, self.output()[-2000:]
        until(lambda: not [pid for pid in family if exists(pid)], 5, "all its children are gone")

    def close(self) -> None:
        """End it and all it started, in whatever state."""
        family = list(self.family()) if self.alive else []
        super().close()
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def call(self, path: str, body: object = None, method: str = "", **headers: str) -> tuple[int, Any]:
        """An HTTP call: status, and JSON document or text."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(self.url + path, data, headers, method=method or None)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, _document(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _document(error)

    def accepts(self) -> bool:
        """Whether the API is there and ready."""
        try:
            return self.call("/readyz")[0] == 200
        except OSError:
            return False

    def status(self, id: str) -> str:
        """A job's status now."""
        return str(self.call(f"/v1/jobs/{id}")[1]["status"])

    def submit(self, task: str, *args: object, **options: object) -> str:
        """Submit a job, again with the same key while the answer is 503, as a client does; answers its id."""
        body, key = {"task": task, "args": list(args), **options}, uuid4().hex

        def accepted() -> str:
            status, job = self.call("/v1/jobs", body, **{"Idempotency-Key": key})
            assert status in (200, 202, 503), job
            return "" if status == 503 else str(job["id"])

        return until(accepted, 10, f"{task} is accepted")

    def recorded(self, id: str, timeout_s: float = 10) -> dict[str, Any]:
        """The job, when its end is in the database."""
        return until(lambda: self._recorded(id), timeout_s, f"{id} is recorded: {self.output()[-2000:]}")

    def _recorded(self, id: str) -> dict[str, Any]:
        try:
            status, job = self.call(f"/v1/jobs/{id}")
        except OSError:
            return {}
        return job if status == 200 and job["recorded_at"] and job["ended_at"] else {}


def _document(answer: Any) -> Any:
    raw = answer.read()
    return json.loads(raw) if "json" in answer.headers.get_content_type() else raw.decode()
