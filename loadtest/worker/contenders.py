"""Who takes part: how its queue is filled, how its worker is started, and where the results that it keeps are counted.

Each at its documented fastest safe setting, which its module in loadtest.peers names: one process (and its parent, where it has one),
results kept, and 20 slots where it has slots.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.intake.contenders import PEERS_PYTHON
from loadtest.stage import ROOT
from loadtest.worker.counts import (
    RQ_FINISHED,
    RQ_QUEUE,
    RQ_WAITING,
    Count,
    in_hash,
    in_list,
    in_sorted_set,
    in_stream,
    less,
    matching,
    of_group,
)

TASKIQ_PYTHON = ROOT / ".venv-bench-taskiq/bin/python"  # it allows no redis-py as old as arq's
PACKAGES = ("huey", "dramatiq", "celery", "kombu", "arq", "saq", "streaq", "coredis", "redis", "hiredis", "uvloop")
TASKIQ_PACKAGES = ("taskiq", "taskiq-redis", "redis", "hiredis", "uvloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`goal`: Millpond runs at least so many times its jobs a second. `guarantee`: what becomes of a job whose worker is killed.
    `peer`: the module of loadtest.peers that fills its queue. `command`: its worker; none: Millpond's. `package`: whose version is
    named. `queue`: the key in which its jobs wait; `waiting`, `ended`: count its jobs and results. `share`: of a round's jobs that it
    gets, so that no round takes long. `fsync`: its Redis's; most of them write many times a job, so always would be the disk's rate."""

    name: str
    title: str
    package: str
    guarantee: str
    peer: str
    command: Sequence[str] = ()
    queue: str = RQ_QUEUE
    waiting: Count = RQ_WAITING
    ended: Count = RQ_FINISHED
    goal: float = 1.0
    share: float = 0.15
    python: Path = Path(sys.executable)
    fsync: str = "everysec"


_CELERY = ("celery", "-A", "loadtest.peers.celery_jobs", "worker", "--without-gossip", "--without-mingle", "--loglevel", "ERROR")
_TASKIQ = ("taskiq", "worker", "loadtest.peers.taskiq_jobs:broker", "--workers", "1", "--max-async-tasks", "20", "--max-prefetch", "20")
_LOST = "is lost"
_RQ_LOST = "fails after a minute"

_RERUN = "runs again in "

MILLPOND = Contender(
    name="millpond",
    title="Millpond, 20 threads",
    package="millpond",
    guarantee=f"{_RERUN}6 s",
    peer="millpond_jobs",
    goal=0.0,
    share=1.0,
)
SYNCED = replace(MILLPOND, name="synced", title="Millpond, 20 threads, fsync always", fsync="always")
_RQ_SIMPLE = Contender(
    name="rq-simple",
    title="rq SimpleWorker",
    package="rq",
    guarantee=_RQ_LOST,
    peer="rq_work",
    command=("loadtest.peers.rq_work", "SimpleWorker"),
    goal=33,
    share=0.04,
)
_CELERY_SOLO = Contender(
    name="celery-solo",
    title="Celery solo, acks late",
    package="celery",
    guarantee=f"{_RERUN}1 h",
    peer="celery_jobs",
    command=(*_CELERY, "-P", "solo"),
    queue="celery",
    waiting=in_list("celery"),
    ended=matching("celery-task-meta-*"),
    share=0.1,
    python=PEERS_PYTHON,
)
PEERS = (
    _RQ_SIMPLE,
    replace(_RQ_SIMPLE, name="rq", title="rq Worker, a fork a job", command=("loadtest.peers.rq_work", "Worker"), goal=100, share=0.01),
    Contender(
        name="huey",
        title="huey, 20 threads",
        package="huey",
        guarantee=_LOST,
        peer="huey_jobs",
        command=("huey.bin.huey_consumer", "loadtest.peers.huey_jobs.huey", "-w", "20", "-k", "thread", "-q"),
        queue="huey.redis.peer",
        waiting=in_list("huey.redis.peer"),
        ended=in_hash("huey.results.peer"),
        goal=1.8,
        share=0.4,
        python=PEERS_PYTHON,
    ),
    Contender(
        name="dramatiq",
        title="dramatiq, 20 threads",
        package="dramatiq",
        guarantee=f"{_RERUN}1 min",
        peer="dramatiq_jobs",
        command=("dramatiq", "loadtest.peers.dramatiq_jobs", "--processes", "1", "--threads", "20"),
        queue="dramatiq:default",
        waiting=in_list("dramatiq:default"),
        ended=matching("dramatiq-results:*"),
        python=PEERS_PYTHON,
    ),
    Contender(
        name="taskiq",
        title="taskiq, a stream, 20 at once",
        package="taskiq-redis",
        guarantee=f"{_RERUN}10 min",
        peer="taskiq_jobs",
        command=(*_TASKIQ, "--log-level", "ERROR"),
        queue="taskiq",
        waiting=of_group("taskiq"),
        ended=matching("result:*"),
        python=TASKIQ_PYTHON,
    ),
    _CELERY_SOLO,
    replace(_CELERY_SOLO, name="celery-threads", title="Celery, 20 threads, acks late", command=(*_CELERY, "-P", "threads", "-c", "20")),
    Contender(
        name="arq",
        title="arq, 20 at once",
        package="arq",
        guarantee=f"{_RERUN}5 min",
        peer="arq_jobs",
        command=("arq", "loadtest.peers.arq_jobs.WorkerSettings", "--custom-log-dict", "loadtest.peers.arq_jobs.QUIET"),
        queue="arq:queue",
        waiting=in_sorted_set("arq:queue"),
        ended=matching("arq:result:*"),
        share=0.1,
        python=PEERS_PYTHON,
    ),
    Contender(
        name="saq",
        title="SAQ, 20 at once",
        package="saq",
        guarantee="fails or runs again in 1 min",
        peer="saq_jobs",
        command=("saq", "loadtest.peers.saq_jobs.settings"),
        queue="saq:default:queued",
        waiting=in_list("saq:default:queued"),
        ended=less(matching("saq:job:default:*"), in_sorted_set("saq:default:incomplete")),
        python=PEERS_PYTHON,
    ),
    Contender(
        name="streaq",
        title="streaQ, 20 at once, uvloop",
        package="streaq",
        guarantee=f"{_RERUN}1 min",
        peer="streaq_jobs",
        command=("streaq", "run", "loadtest.peers.streaq_jobs:worker"),
        queue="streaq:default:queues:normal",
        waiting=in_stream("streaq:default:queues:normal"),
        ended=matching("streaq:default:task:results:*"),
        python=PEERS_PYTHON,
    ),
)
CONTENDERS = (MILLPOND, SYNCED, *PEERS)
NAMES = tuple(one.name for one in CONTENDERS)


def missing(one: Contender) -> str:
    """Why it cannot take part; empty if it can."""
    return "" if one.python.exists() else "its packages are not installed: `make bench-worker` does that"
