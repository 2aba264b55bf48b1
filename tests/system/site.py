"""A whole Millpond on this machine: a real Redis and database, services as processes, and what judges them from outside."""

import contextlib
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from millpond.client import Client
from tests.processes import ROOT, Process, children, free_port
from tests.system.ledger import Ledger
from tests.system.load import Load
from tests.system.record import Record
from tests.system.verdict import Verdict, judge
from tests.until import until

TASKS = ROOT / "tests" / "tasks"  # the folder of the module `toil`
DRAIN_S = 60.0

P = TypeVar("P", bound=Process)


class Service(Process):
    """One process of ours, ``python -m module``, and what it starts."""

    def __init__(self, log: Path, env: dict[str, str], *module: str) -> None:
        super().__init__([sys.executable, "-m", *module], log, env)

    def pids(self) -> list[int]:
        """It and all it started."""
        return [self.pid, *children(self.pid)]

    def signal_all(self, number: int) -> list[int]:
        """Send a signal to it and to all it started, as happens to a container; answers their pids."""
        pids = self.pids()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return pids

    def kill_all(self) -> list[int]:
        """SIGKILL as `signal_all`, and wait."""
        pids = self.signal_all(signal.SIGKILL)
        self.wait()
        return pids

    def close(self) -> None:
        if self.alive:
            self.kill_all()

    def lines(self) -> list[dict[str, Any]]:
        """Its log so far."""
        return [json.loads(line) for line in self.output().splitlines() if line.startswith("{")]


class Api(Service):
    """A replica of the API on a port of its own."""

    def __init__(self, log: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        env = {**env, "MILLPOND_PORT": str(self.port), "MILLPOND_HOST": "127.0.0.1"}
        super().__init__(log, env, "gunicorn", "-c", "api/gunicorn.conf.py", "api.wsgi:app")

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Site:
    """Starts services on one Redis and one database, and ends them. `settings`: MILLPOND_* of all, by the names after that."""

    def __init__(self, folder: Path, redis_url: str, database_url: str, **settings: object) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.redis_url = folder, redis_url
        self.record = Record(database_url)
        self.apis: list[Api] = []
        self.workers: list[Service] = []
        self.collectors: list[Service] = []
        self._settings = {"REDIS_URL": redis_url, "DATABASE_URL": database_url, "TASKS": "toil", **settings}
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    def start(self, apis: int = 1, workers: int = 1, collectors: int = 1) -> Self:
        """Migrate the database, then start that many of each and wait until they work together."""
        migration = Service(self._log("migrate"), self._env({}), "millpond.store", "upgrade")
        assert migration.launch().wait(30) == 0, migration.output()
        for _ in range(apis):
            self.add_api()
        for _ in range(collectors):
            self.add_collector()
        for _ in range(workers):
            self.add_worker()
        for api in self.apis:
            self._until(api.ready, f"{api} is ready")
        with self.client() as client:
            self._until(lambda: len(client.workers()) == workers, "the workers are registered")
            self._until(lambda: not workers or client.tasks(), "the catalogue is known")
        return self

    def _until(self, condition: Callable[[], object], message: str) -> None:
        """Wait for `condition`; a service that ended meanwhile fails at once, with the end of its log."""
        services = [*self.apis, *self.workers, *self.collectors]
        until(lambda: condition() or not all(service.alive for service in services), 30, message)
        dead = [f"{service}\n{service.output()[-2000:]}" for service in services if not service.alive]
        assert not dead, "\n".join(dead)

    def add_api(self, **settings: object) -> Api:
        """Launch a replica of the API."""
        return self._add(self.apis, Api(self._log("api"), self._env(settings)))

    def add_worker(self, **settings: object) -> Service:
        """Launch a worker."""
        return self._add(self.workers, Service(self._log("worker"), self._env(settings), "worker"))

    def add_collector(self, **settings: object) -> Service:
        """Launch a collector."""
        return self._add(self.collectors, Service(self._log("collector"), self._env(settings), "collector"))

    def client(self, replica: int = 0, timeout_s: float = 10.0) -> Client:
        """A client of one replica of the API."""
        return Client(self.apis[replica].url, timeout_s=timeout_s)

    def toil(self, seconds: float, task: str = "toil", **options: Any) -> "Toil":
        """A load of jobs that work for `seconds` each and write it down; `options` as of `Load`."""
        self._count += 1
        return Toil(self, self.folder / f"load-{self._count}", seconds, task, **options)

    def _add(self, services: list[P], service: P) -> P:
        services.append(service)
        self._stack.callback(service.close)
        service.launch()
        return service

    def _log(self, name: str) -> Path:
        self._count += 1
        return self.folder / f"{name}-{self._count}.log"

    def _env(self, settings: dict[str, object]) -> dict[str, str]:
        given = {**self._settings, **settings}
        return {"PYTHONPATH": str(TASKS), **{f"MILLPOND_{name}": str(value) for name, value in given.items()}}


class Toil(Load):
    """A load of a site, its ledger, and their judgement."""

    def __init__(self, site: Site, path: Path, seconds: float, task: str, **options: Any) -> None:
        self.ledger = Ledger(path.with_suffix(".ledger"))
        self._record = site.record
        urls = [api.url for api in site.apis]
        super().__init__(urls, path.with_suffix(".journal"), task, str(self.ledger.path), seconds, **options)

    def unrecorded(self) -> list[str]:
        """Accepted jobs whose end is not on record."""
        final = {row.id for row in self._record.jobs(self.name) if row.final}
        return [one.id for one in self.sent() if one.id not in final]

    def settle(self, timeout_s: float = DRAIN_S) -> None:
        """Wait until the end of every accepted job is on record."""
        until(lambda: not self.unrecorded(), timeout_s, f"all of {len(self.sent())} jobs are recorded", every_s=0.2)

    def judge(self, *dead: int) -> Verdict:
        """Compare journal, database and ledger, print that, and require that they agree. `dead`: processes killed meanwhile."""
        rows = self._record.jobs(self.name)
        verdict = judge(self.sent(), rows, self._record.attempts({row.id for row in rows}), self.ledger.stints(), set(dead))
        print(f"\n{verdict}")
        assert verdict.good, verdict
        return verdict
