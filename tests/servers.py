"""Real Redis and PostgreSQL servers for tests: private, durable, killable, gone with the test run."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
import redis

from millpond import redis_server
from tests.processes import Process, free_port


class RedisServer(Process):
    """A Redis or Valkey of our own: append-only file always synced, no eviction, data in `folder`. `options`: more arguments."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        listen = ["--bind", "127.0.0.1", "--port", str(self.port)]
        super().__init__([*redis_server.command(), *listen, *redis_server.durable(folder), *options], folder / "redis.log")

    def client(self) -> redis.Redis:
        """A new client, for the test's own looks."""
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def ready(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except (redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError, redis.exceptions.TimeoutError):
                return False


class PostgresServer(Process):
    """A PostgreSQL cluster of our own in `folder`, fsync on; as the user postgres if the tests run as root."""

    name = "millpond"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.databases = 0
        binaries = _postgres_binaries()
        user = "postgres" if os.geteuid() == 0 else None
        folder.mkdir(parents=True, exist_ok=True)
        if user:
            shutil.chown(folder, user)
        # Nobody but the server itself may read its folder, so the log lies beside it.
        log = folder.with_name(folder.name + ".log")
        data = folder / "data"
        listen = ["-p", str(self.port), "-k", str(folder), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200"]
        super().__init__([binaries / "postgres", "-D", data, *listen], log, user=user)
        self.cwd = folder
        if not data.exists():
            setup = [str(binaries / "initdb"), "-D", str(data), "-U", self.name, "-A", "trust", "-E", "UTF8", "--no-locale"]
            subprocess.run(setup, check=True, user=user, cwd=folder, capture_output=True)

    def url(self, database: str = "postgres") -> str:
        """A URL as MILLPOND_DATABASE_URL takes it."""
        return f"postgresql://{self.name}@127.0.0.1:{self.port}/{database}"

    def fresh_database(self) -> str:
        """Create an empty database and answer its URL."""
        self.databases += 1
        database = f"test_{self.databases}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database}".encode())
        return self.url(database)

    def ready(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def stop(self, timeout_s: float = 30.0) -> int:
        """A fast shutdown: open transactions are rolled back, connections closed."""
        self.signal(signal.SIGINT)
        return self.wait(timeout_s)

    def kill(self) -> None:
        """An immediate shutdown, which loses what was not synced; SIGKILL would leave its children behind."""
        self.signal(signal.SIGQUIT)
        self.wait()


def _postgres_binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL's server programs are missing: install the package postgresql (make test does, as root)"
    return Path(on_path).resolve().parent
