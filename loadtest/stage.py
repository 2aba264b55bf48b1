"""The processes of a benchmark: both sides' servers on ports of their own, each held to a core, all ended with the run."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
SERVER, REST = 0, 1  # cores: what is measured has one alone, where there are two
_READY_S = 30.0
_STOP_S = 30.0


class Stage:
    """Starts processes and ends them in the opposite order. `folder`: for their data and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, *command: str, core: int, **env: str) -> subprocess.Popen[bytes]:
        """Start a Python module (``run("worker")`` is ``python -m worker``) on a core, its output in the folder."""
        log = self._stack.enter_context((self.folder / "log").open("ab"))
        words = [*_pinned(core), sys.executable, "-m", *command]
        process = subprocess.Popen(words, cwd=ROOT, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._stack.callback(stop, process)
        return process

    def redis(self, name: str) -> int:
        """Start a Redis that syncs every write; answers its port."""
        port, data = free_port(), self.folder / name
        data.mkdir()
        self.run("millpond.redis_server", str(port), str(data), core=REST)
        wait(lambda: listens(port), "Redis listens")
        return port

    def product(self) -> "Product":
        """Start a Millpond's API with everything it needs, and no worker yet."""
        return Product(self)

    def log(self) -> str:
        """The end of what all processes said."""
        return (self.folder / "log").read_text(errors="replace")[-4000:]


class Product:
    """A Millpond of its own. `worker` and `collector` are started when they are wanted."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._port = free_port()
        self._env = {
            "MILLPOND_REDIS_URL": f"redis://127.0.0.1:{stage.redis('ours')}/0",
            "MILLPOND_DATABASE_URL": f"sqlite:///{stage.folder / 'record.db'}",
            "MILLPOND_LOG_LEVEL": "warning",
        }
        stage.run("millpond.store", "upgrade", core=REST, **self._env).wait(_READY_S)
        api = ["gunicorn", "-c", "api/gunicorn.conf.py", "api.wsgi:app"]
        stage.run(*api, core=SERVER, **self._env, MILLPOND_PORT=str(self._port), MILLPOND_HOST="127.0.0.1")
        wait(lambda: listens(self._port), "the API listens")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def worker(self) -> subprocess.Popen[bytes]:
        """A worker that knows the task `noop`."""
        peers = str(ROOT / "loadtest" / "peers")
        return self._stage.run("worker", core=SERVER, **self._env, MILLPOND_TASKS="noop", PYTHONPATH=peers)

    def collector(self) -> subprocess.Popen[bytes]:
        """A collector."""
        return self._stage.run("collector", core=REST, **self._env)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process as an operator would, and wait."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait(condition: Callable[[], object], what: str, seconds: float = _READY_S, every_s: float = 0.02) -> None:
    """Wait until `condition` holds; TimeoutError if it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(every_s)


def listens(port: int) -> bool:
    """Whether something accepts connections on a loopback port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pinned(core: int) -> Sequence[str]:
    cores = os.cpu_count() or 1
    return ["taskset", "-c", str(core)] if cores > 1 and shutil.which("taskset") else []
