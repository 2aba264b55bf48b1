"""What `millpond up` runs: each part's command, settings and sign of readiness."""

import importlib.util
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import redis

from millpond import broker, health, redis_server
from millpond.errors import BadSetting
from millpond.up.folder import Folder
from millpond.up.process import Part

HOST = "127.0.0.1"
GRACE_S = 25  # MILLPOND_GRACE_S and MILLPOND_DRAIN_S; the parts get a little more before they are killed
PULSE_AGE_S = 15


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command. An empty `redis_url` or `database_url`: one of our own in the folder `data`."""

    port: int = 8888
    data: Path = Path(".millpond")
    workers: int = 1
    concurrency: int = 20
    tasks: str = "examples"
    redis_url: str = ""
    database_url: str = ""

    @property
    def url(self) -> str:
        """Where the API answers."""
        return f"http://{HOST}:{self.port}"


def checkout() -> Path:
    """The folder that holds api/, worker/ and collector/: only `millpond` is installed, the services run from there."""
    try:
        spec = importlib.util.find_spec("api.wsgi")
    except ModuleNotFoundError:
        spec = None
    if not (spec and spec.origin):
        raise BadSetting("the folders api, worker and collector are not on Python's path: install Millpond in place (make setup)")
    return Path(spec.origin).parent.parent


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def refuse_taken(port: int) -> None:
    """Raise BadSetting if something listens on the API's port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise BadSetting(f"port {port} cannot be used: {error.strerror}; choose another with --port") from None


def answers(redis_url: str) -> bool:
    """Whether Redis is there and has loaded its data."""
    client = broker.connect(redis_url, timeout_s=0.5)
    try:
        return bool(client.ping())
    except (redis.exceptions.RedisError, OSError):
        return False
    finally:
        client.close()


class Plan:
    """The parts for one set of options, in one data folder."""

    def __init__(self, options: Options, folder: Folder) -> None:
        self.options = options
        self.folder = folder
        self.root = checkout()
        self._redis_port = 0 if options.redis_url else free_port()
        self.redis_url = options.redis_url or f"redis://{HOST}:{self._redis_port}/0"
        self.database_url = options.database_url or f"sqlite:///{folder.database}"
        self._both = {"redis_url": self.redis_url, "database_url": self.database_url}

    def redis(self) -> Part:
        """A Redis of our own, which keeps what it answered; on loopback alone."""
        listen = ["--bind", HOST, "--port", str(self._redis_port)]
        command = [*redis_server.command(), *listen, *redis_server.durable(self.folder.redis)]
        return Part("redis", command, self.folder.redis, ready=lambda: answers(self.redis_url))

    def migration(self) -> Part:
        """Bring the database's tables to what the services expect."""
        return Part("migrate", _python("millpond.store", "upgrade"), self.root, {"database_url": self.database_url})

    def api(self) -> Part:
        """The API, with the articles' calls."""
        told = {"host": HOST, "port": str(self.options.port), "classic": "on", "drain_s": str(GRACE_S), "health_file": ""}
        command = _python("gunicorn", "-c", str(self.root / "api" / "gunicorn.conf.py"), "api.wsgi:app")
        ready = self.options.url + "/readyz"
        return Part("api", command, self.root, self._both | told, lambda: not health.fault(ready), GRACE_S + 5, rank=3)

    def workers(self) -> list[Part]:
        """The workers. They run in the user's folder, where the user's modules are found, last on the path."""
        return [self._worker(f"worker-{number}") for number in range(1, self.options.workers + 1)]

    def collector(self) -> Part:
        """The collector and its keeper."""
        pulse = self.folder.pulse("collector")
        told = self._both | {"health_file": str(pulse)}
        return Part("collector", _python("collector"), self.root, told, lambda: _beats(pulse), drain_s=15, rank=1)

    def _worker(self, name: str) -> Part:
        pulse = self.folder.pulse(name)
        told = {
            "redis_url": self.redis_url,
            "tasks": self.options.tasks,
            "concurrency": str(self.options.concurrency),
            "grace_s": str(GRACE_S),
            "health_file": str(pulse),
        }
        return Part(name, _python("worker"), Path.cwd(), told, lambda: _beats(pulse), GRACE_S + 5, rank=2)


def _python(module: str, *words: str) -> list[str]:
    # -P: the folder we were started in must not come first on the path, where a user's module would shadow ours.
    return [sys.executable, "-P", "-m", module, *words]


def _beats(pulse: Path) -> bool:
    return not health.fault(str(pulse), PULSE_AGE_S)
