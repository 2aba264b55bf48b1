"""Who takes part: how each server is started, what it is asked, and where its jobs are counted."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import redis

from loadtest.generator import Load
from loadtest.stage import ROOT, SERVER, Process, Product, RedisServer, Stage, free_port, listens, wait

BEFORE = '{"task":"thumbnail","args":["pictures/2026/november/the-mill-beside-its-pond-'
AFTER = '.jpeg",1024],"kwargs":{"quality":85,"crop":true}}'  # with BEFORE and the number: args and kwargs of 100 bytes

PEERS_PYTHON = ROOT / ".venv-bench/bin/python"  # arq and Celery allow no redis-py as new as ours

STOCK_TORNADO = ("gunicorn", "-k", "tornado", "-b", "127.0.0.1:{port}")
UVICORN = ("uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning", "--port", "{port}")

Count = Callable[[redis.Redis], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`goal`: Millpond's submissions a second are at least so many times this one's; 0: no goal. `queued`: counts the jobs that
    wait in its Redis; None: it keeps none. `fsync`: its Redis's, for the time of its rounds. `command`: a module and its words;
    `app`: an application that is served as the API is; neither: the API itself."""

    name: str
    title: str
    goal: float = 0.0
    command: tuple[str, ...] = ()
    app: str = ""
    queued: Count | None = None
    fsync: str = "always"
    python: str = sys.executable


def _list(name: str) -> Count:
    return lambda client: int(client.llen(name))


def _sorted_set(name: str) -> Count:
    return lambda client: int(client.zcard(name))


_RQ_QUEUE = _list("rq:queue:default")  # Millpond's too: it keeps RQ's contract

CONTENDERS = (
    Contender(name="millpond", title="Millpond", queued=_RQ_QUEUE),
    Contender(name="everysec", title="Millpond, fsync everysec", goal=0.95, queued=_RQ_QUEUE, fsync="everysec"),
    Contender(
        name="tornado", title="bare RequestHandler, stock gunicorn", goal=1.3, command=(*STOCK_TORNADO, "loadtest.peers.constant:app")
    ),
    Contender(name="tornado-ours", title="bare RequestHandler, our worker class", app="loadtest.peers.constant_ours:app"),
    Contender(name="delegate", title="bare HTTPServer delegate (the limit)", command=("loadtest.peers.delegate", "{port}")),
    Contender(
        name="rq",
        title="rq.Queue.enqueue in a Tornado handler",
        goal=4.0,
        command=(*STOCK_TORNADO, "loadtest.peers.rq_intake:app"),
        queued=_RQ_QUEUE,
    ),
    Contender(
        name="arq",
        title="FastAPI + arq, uvicorn",
        goal=3.0,
        command=(*UVICORN, "loadtest.peers.arq_intake:app"),
        queued=_sorted_set("arq:queue"),
        python=str(PEERS_PYTHON),
    ),
    Contender(
        name="celery",
        title="FastAPI + Celery, uvicorn",
        goal=4.0,
        command=(*UVICORN, "loadtest.peers.celery_intake:app"),
        queued=_list("celery"),
        python=str(PEERS_PYTHON),
    ),
)

NAMES = tuple(one.name for one in CONTENDERS)


@dataclass(frozen=True, slots=True)
class Running:
    """A contender whose server listens."""

    contender: Contender
    port: int
    path: str
    server: Process
    redis: RedisServer

    def load(self, first: int, connections: int, seconds: float, per_s: float = 0.0) -> Load:
        """What it is asked; no number comes twice in a run."""
        frame = {"port": self.port, "path": self.path, "before": BEFORE, "after": AFTER}
        return Load(**frame, first=first, connections=connections, seconds=seconds, per_s=per_s)  # type: ignore[arg-type]


def missing(contender: Contender) -> str:
    """Why it cannot take part; empty if it can."""
    if contender.python == sys.executable or PEERS_PYTHON.exists():
        return ""
    return "its packages are not installed: `make bench-intake` does that"


def start(stage: Stage, product: Product, wanted: Iterable[Contender]) -> list[Running]:
    """Start all servers side by side, and wait until they listen. Millpond is `product` in both its rows."""
    peers_redis = stage.redis("peers")
    running = [_start(stage, product, peers_redis, one) for one in wanted]
    for one in running:
        wait(lambda port=one.port: listens(port), f"{one.contender.title} listens")  # type: ignore[misc]
    return running


def _start(stage: Stage, product: Product, peers_redis: RedisServer, one: Contender) -> Running:
    if one.command:
        port = free_port()
        command = [word.format(port=port) for word in one.command]
        process = stage.run(*command, core=SERVER, python=one.python, PEER_REDIS_PORT=str(peers_redis.port))
        return Running(one, port, "/jobs", process, peers_redis)
    if one.app:
        port, process = product.serve(one.app)
        return Running(one, port, "/jobs", process, product.redis)
    return Running(one, product.port, "/v1/jobs", product.api, product.redis)
