"""One server of the ladder as processes of their own: started, asked what they did, killed whole, started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from loadtest.ladder.ledger import Ledger
from loadtest.ladder.rungs import Rung
from loadtest.stage import ROOT, Process, free_port, listens, tree, wait
from millpond.client import ApiError, Client

_READY_S = 60.0


class Server:
    """A context: the server of `rung` runs within it, and nothing of it after. `folder`: for its ledger, log and data; `work_s`: seconds
    of one piece of work; `sent`: how many requests it got, which those who send them count."""

    def __init__(self, rung: Rung, folder: Path, work_s: float) -> None:
        self.rung = rung
        self.work_s = work_s
        self.port = 0
        self.sent = 0
        self._folders = folder
        self._lives = 0
        self._process: Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.kill()
        if error:
            sys.stderr.write((self.folder / "log").read_text(errors="replace")[-4000:])

    @property
    def folder(self) -> Path:
        """Where it keeps what it keeps, until it starts anew."""
        return self._folders / str(self._lives)

    @property
    def ledger(self) -> Ledger:
        """The work it has done since it started anew."""
        return Ledger(self.folder / "ledger")

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def process(self) -> Process:
        """The one that started all others."""
        if self._process is None:
            raise RuntimeError(f"{self.rung.title} does not run")
        return self._process

    def rest(self) -> None:
        """Have nothing to do: as it is, if all that it was sent is done, else killed and started anew, with nothing kept."""
        if len(self.ledger.read()) < self.sent:
            self.kill()
            self._lives, self.sent = self._lives + 1, 0
            self.start()

    def start(self) -> None:
        """Start it where it was, with what it kept, and wait until it takes jobs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._words(), cwd=ROOT, env=self._env(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait(self._ready, f"{self.rung.title} takes jobs", _READY_S)

    def kill(self) -> None:
        """SIGKILL to all its processes at once; when this returns they have ended."""
        if self._process:
            pids = list(tree(self._process.pid))
            slay(pids)
            self._process.wait()
            wait(lambda: not any(map(_runs, pids)), f"{self.rung.title} has gone")
            self._process = None

    def _words(self) -> Sequence[str]:
        if self.rung.module:
            options = {"--port": self.port, "--seconds": self.work_s, "--slots": self.rung.slots, "--ledger": self.ledger.path}
            return [sys.executable, "-m", f"loadtest.ladder.servers.{self.rung.module}", *_flat(options)]
        options = {"--port": self.port, "--workers": self.rung.workers, "--concurrency": self.rung.slots, "--tasks": "piece"}
        return [sys.executable, "-m", "millpond.cli", "up", *_flat(options), "--data", str(self.folder / "data")]

    def _env(self) -> Mapping[str, str]:
        task = {"MILLPOND_CLASSIC_TASK": "piece", "PYTHONPATH": str(ROOT / "loadtest" / "peers"), "MILLPOND_LOG_LEVEL": "warning"}
        return {**os.environ, **task, "LADDER_SECONDS": str(self.work_s), "LADDER_LEDGER": str(self.ledger.path)}

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.rung.title} ended with status {self.process.returncode}")
        if self.rung.module or not listens(self.port):
            return listens(self.port)
        with Client(self.url) as client, suppress(ApiError):
            return len(list(client.workers())) >= self.rung.workers and bool(client.tasks())
        return False


def slay(pids: Sequence[int]) -> None:
    """SIGKILL to processes that were ours when they were listed; who has ended since is left out."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _runs(pid: int) -> bool:
    """Whether a process is there and no zombie, which nobody may ever take away in a container."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _flat(options: Mapping[str, object]) -> list[str]:
    return [str(word) for pair in options.items() for word in pair]
