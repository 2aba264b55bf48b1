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

from tests.processes import Process, children, free_port
from tests.until import until

READY_S = 60.0


class Up(Process):
    """`millpond up` on a data folder; output goes to a file beside it."""

    ready_s = READY_S

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

    def leader(self, word: str) -> int:
        """The pid of the part whose command line matches: the one that `millpond up` itself started."""
        direct = {int(pid) for task in Path(f"/proc/{self.pid}/task").glob("*/children") for pid in task.read_text().split()}
        return until(lambda: next((pid for pid, line in self.family().items() if pid in direct and re.search(word, line)), 0), 20, word)

    def interrupt(self) -> int:
        """Ctrl-C, and wait; answers the exit status."""
        self.signal(signal.SIGINT)
        return self.wait(60)

    def close(self) -> None:
        """End it and all it started, in whatever state."""
        family = list(self.family()) if self.alive else []
        super().close()
        for pid in family:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def call(self, path: str, body: object = None, method: str = "") -> tuple[int, Any]:
        """An HTTP call: status and JSON document."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method or None)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def submit(self, task: str, *args: object, **options: object) -> str:
        """Submit a job that must be accepted; answers its id."""
        status, job = self.call("/v1/jobs", {"task": task, "args": list(args), **options})
        assert status == 202, job
        return str(job["id"])

    def recorded(self, id: str, timeout_s: float = 10) -> dict[str, Any]:
        """The job, when its end is in the database."""
        return until(lambda: self._recorded(id), timeout_s, f"{id} is recorded: {self.output()[-2000:]}")

    def _recorded(self, id: str) -> dict[str, Any]:
        try:
            status, job = self.call(f"/v1/jobs/{id}")
        except OSError:
            return {}
        return job if status == 200 and job["recorded_at"] and job["ended_at"] else {}
