"""The processes of a benchmark: both sides' servers on ports of their own, each held to a core, all ended with the run."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

import orjson
import redis

from loadtest.generator import Load, Outcome
from millpond.client import Client

ROOT = Path(__file__).resolve().parent.parent
SERVER, REST = 0, 1  # cores: what is measured has one alone, where there are two
EVERYWHERE = f"0-{(os.cpu_count() or 1) - 1}"
Core = int | str  # one, or several as taskset(1) writes them
NO_LIMIT = {"maxmemory": "0"}
_READY_S = 30.0
_STOP_S = 30.0
_DRIVE_S = 60.0  # beyond a load's own seconds, its generator is stuck
_TICKS_S = 1 / os.sysconf("SC_CLK_TCK")

Process = subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class RedisServer:
    """A Redis of the stage."""

    port: int
    process: Process

    def client(self) -> redis.Redis:
        """A connection to it; close it."""
        return redis.Redis(port=self.port)


class Stage:
    """Starts processes and ends them in the opposite order. `folder`: for their data and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._stack.close()
        if error:
            sys.stderr.write(self.log())

    def run(self, *command: str, core: Core, python: str = sys.executable, **env: str) -> Process:
        """Start a Python module (``run("worker")`` is ``python -m worker``) on a core, its output in the folder."""
        return self.spawn([*pinned(core), python, "-m", *command], env=env)

    def spawn(
        self, words: Sequence[str], env: Mapping[str, str] = MappingProxyType({}), cwd: Path = ROOT, user: str | None = None
    ) -> Process:
        """Start a command, its output in the folder. `user`: as whom, if not as ourselves."""
        log = self._stack.enter_context((self.folder / "log").open("ab"))
        process = subprocess.Popen(words, cwd=cwd, env={**os.environ, **env}, user=user, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._stack.callback(stop, process)
        return process

    def redis(self, name: str, settings: Mapping[str, str] = NO_LIMIT) -> RedisServer:
        """Start a Redis that syncs every write, with the settings that Millpond ships and over them `settings`."""
        port, data = free_port(), self.folder / name
        data.mkdir()
        process = self.run("millpond.redis_server", str(port), str(data), str(ROOT / "ops/redis/redis.conf"), core=REST)
        wait(lambda: listens(port), "Redis listens")
        server = RedisServer(port, process)
        with server.client() as client:
            for word, value in settings.items():
                client.config_set(word, value)
        return server

    def product(self, **env: str) -> "Product":
        """Start a Millpond's API with everything it needs, and no worker yet. `env`: more of its settings."""
        return Product(self, env)

    def log(self) -> str:
        """The end of what all processes said."""
        path = self.folder / "log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""


class Product:
    """A Millpond of its own. `worker` and `collector` are started when they are wanted."""

    def __init__(self, stage: Stage, env: Mapping[str, str]) -> None:
        self._stage = stage
        self.redis = stage.redis("ours")
        self._env = {
            "MILLPOND_REDIS_URL": f"redis://127.0.0.1:{self.redis.port}/0",
            "MILLPOND_DATABASE_URL": f"sqlite:///{stage.folder / 'record.db'}",
            "MILLPOND_LOG_LEVEL": "warning",
            **env,
        }
        stage.run("millpond.store", "upgrade", core=REST, **self._env).wait(_READY_S)
        self.port, self.api = self.serve("api.wsgi:app")
        wait(lambda: listens(self.port), "the API listens")

    def serve(self, app: str) -> tuple[int, Process]:
        """Serve an application as the API is served, on a port of its own."""
        port = free_port()
        gunicorn = ["gunicorn", "-c", "api/gunicorn.conf.py", app]
        return port, self._stage.run(*gunicorn, core=SERVER, **self._env, MILLPOND_PORT=str(port), MILLPOND_HOST="127.0.0.1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def worker(self, core: Core = SERVER, **env: str) -> Process:
        """A worker that knows the tasks of ``loadtest.peers.noop``. `env`: more of its settings."""
        peers = str(ROOT / "loadtest" / "peers")
        return self._stage.run("worker", core=core, **{**self._env, "MILLPOND_TASKS": "noop", "PYTHONPATH": peers, **env})

    def know_tasks(self, **env: str) -> None:
        """Let a worker publish its tasks, then end it: the catalogue stays."""
        worker = self.worker(**env)
        with Client(self.url) as client:
            wait(client.tasks, "the API knows the tasks")
        stop(worker)

    def collector(self) -> Process:
        """A collector."""
        return self._stage.run("collector", core=REST, **self._env)


def drive(load: Load) -> Outcome:
    """Run a load in a process of its own, on the core that the server has not. Raises RuntimeError if it fails or is stuck."""
    words = [*pinned(REST), sys.executable, "-m", "loadtest.generator"]
    try:
        done = subprocess.run(words, cwd=ROOT, input=orjson.dumps(load), capture_output=True, timeout=load.seconds + _DRIVE_S, check=True)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"the load on {load.path}: {error.stderr.decode(errors='replace')[-1000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the load on {load.path} did not end") from error
    document = orjson.loads(done.stdout)
    return Outcome(**document | {"statuses": {int(status): often for status, often in document["statuses"].items()}})


def cpu_s(process: Process) -> float:
    """CPU seconds of a process and its descendants so far, user and system, to the kernel's tick of 10 ms."""
    return sum(map(_own_cpu_s, tree(process.pid)))


def _own_cpu_s(pid: int) -> float:
    # After the name, which may hold anything in its parentheses: utime, stime and those of ended children are fields 14-17 (proc(5)).
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) * _TICKS_S
    return 0.0  # it ended meanwhile, and its parent has its seconds


def tree(pid: int) -> Iterator[int]:
    """A process and its descendants; of one that ends meanwhile, none."""
    yield pid
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from tree(int(child))


def stop(process: Process) -> None:
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


def pinned(core: Core) -> Sequence[str]:
    """Words before a command that hold it to a core; none where there is only one, or nothing to hold it with."""
    cores = os.cpu_count() or 1
    return ["taskset", "-c", str(core)] if cores > 1 and shutil.which("taskset") else []
