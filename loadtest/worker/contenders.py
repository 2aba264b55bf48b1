"""Who takes part: how its queue is filled, how its worker is started, and where the results that it keeps are counted.

Each at its documented fastest safe setting: one process, JSON (huey: its own pickle), results kept, and 20 slots where it has slots.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import redis

from loadtest.intake.contenders import PEERS_PYTHON

Count = Callable[[redis.Redis], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`goal`: Millpond runs at least so many times its jobs a second; 0: no goal. `guarantee`: what becomes of a job whose worker is
    killed. `peer`: the module of loadtest.peers that fills its queue. `command`: its worker. `queue`: the key in which its jobs wait;
    `ended`: counts the results in its Redis. `share`: of a round's jobs that it gets, so that no round takes minutes."""

    name: str
    title: str
    guarantee: str
    peer: str
    command: tuple[str, ...]
    queue: str
    ended: Count
    goal: float = 0.0
    share: float = 1.0
    python: str = sys.executable


def _matching(pattern: str) -> Count:
    return lambda client: sum(1 for _ in client.scan_iter(pattern, count=10_000))


def _finished(client: redis.Redis) -> int:
    return int(client.zcard("rq:finished:default"))  # Millpond's too: it keeps RQ's contract


_CELERY = ("celery", "-A", "loadtest.peers.celery_jobs", "worker", "--without-gossip", "--without-mingle", "--loglevel", "ERROR")
_RERUN, _LOST = "runs again", "is lost"
_RQ_LOST = "fails after a minute"

CONTENDERS = (
    Contender(
        name="millpond",
        title="Millpond, 20 threads",
        guarantee=f"{_RERUN} in 6 s",
        peer="millpond_jobs",
        command=("worker",),
        queue="rq:queue:default",
        ended=_finished,
    ),
    Contender(
        name="rq-simple",
        title="rq SimpleWorker",
        guarantee=_RQ_LOST,
        peer="rq_work",
        command=("loadtest.peers.rq_work", "SimpleWorker"),
        queue="rq:queue:default",
        ended=_finished,
        goal=33,
        share=0.05,
    ),
    Contender(
        name="rq",
        title="rq Worker, a fork a job",
        guarantee=_RQ_LOST,
        peer="rq_work",
        command=("loadtest.peers.rq_work", "Worker"),
        queue="rq:queue:default",
        ended=_finished,
        goal=100,
        share=0.01,
    ),
    Contender(
        name="huey",
        title="huey, 20 threads",
        guarantee=_LOST,
        peer="huey_jobs",
        command=("huey.bin.huey_consumer", "loadtest.peers.huey_jobs.huey", "-w", "20", "-k", "thread", "-q"),
        queue="huey.redis.peer",
        ended=lambda client: int(client.hlen("huey.results.peer")),
        goal=1.8,
        share=0.3,
        python=str(PEERS_PYTHON),
    ),
    Contender(
        name="celery-solo",
        title="Celery solo, acks late",
        guarantee=f"{_RERUN} in 1 h",
        peer="celery_jobs",
        command=(*_CELERY, "-P", "solo"),
        queue="celery",
        ended=_matching("celery-task-meta-*"),
        goal=1.0,
        share=0.1,
        python=str(PEERS_PYTHON),
    ),
    Contender(
        name="celery-threads",
        title="Celery, 20 threads, acks late",
        guarantee=f"{_RERUN} in 1 h",
        peer="celery_jobs",
        command=(*_CELERY, "-P", "threads", "-c", "20"),
        queue="celery",
        ended=_matching("celery-task-meta-*"),
        goal=1.0,
        share=0.1,
        python=str(PEERS_PYTHON),
    ),
    Contender(
        name="arq",
        title="arq, 20 at once",
        guarantee=f"{_RERUN} in 5 min",
        peer="arq_jobs",
        command=("arq", "loadtest.peers.arq_jobs.WorkerSettings"),
        queue="arq:queue",
        ended=_matching("arq:result:*"),
        goal=1.0,
        share=0.1,
        python=str(PEERS_PYTHON),
    ),
)

NAMES = tuple(one.name for one in CONTENDERS)
