"""What is in four clusters, by threads, by processes, by gevent, and as a fan-out of jobs over replicas that the caller gathers.

Every answer of a node or a switch takes its seconds; the article's own figures are for three.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from loadtest.worker.measure import Unclean
from loadtest.worker.mill import Mill
from millpond.client import Client, JobView

CLUSTERS = (1, 2, 3, 4)
CALL_S = 3.0  # the article's
TASKS = {"MILLPOND_TASKS": "noop,examples"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to ask. `calls`: how many of them follow each other, at best; `queue`: its own workers'."""

    name: str
    title: str
    task: str
    queue: str
    pool: str
    calls: int
    article_s: float
    replicas: int = 1


WAYS = (
    Way(
        name="threads",
        title="a thread a cluster, pool thread",
        task="cluster_info_threads",
        queue="one",
        pool="thread",
        calls=8,
        article_s=24,
    ),
    Way(
        name="processes",
        title="a process a cluster, pool process",
        task="cluster_info_processes",
        queue="two",
        pool="process",
        calls=8,
        article_s=24,
    ),
    Way(
        name="gevent",
        title="a greenlet a call, pool gevent",
        task="cluster_info_gevent",
        queue="three",
        pool="gevent",
        calls=2,
        article_s=6,
    ),
    Way(
        name="fan-out",
        title="a job a cluster, 4 replicas",
        task="cluster_info_gevent",
        queue="four",
        pool="gevent",
        calls=2,
        article_s=6,
        replicas=4,
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One way's answer. `seconds`: from the submission until the caller has all of it."""

    seconds: float
    clusters: list[dict[str, Any]]


def ask(mill: Mill, call_s: float) -> dict[str, Asked]:
    """Ask in every way, side by side: all that they do is wait. Raises Unclean if they do not find the same."""
    with ExitStack() as stack:
        for way in WAYS:
            env = {**TASKS, "MILLPOND_POOL": way.pool, "MILLPOND_QUEUES": way.queue, "MILLPOND_CONCURRENCY": "1"}
            stack.enter_context(mill.crew(way.replicas, env=env))
        with ThreadPoolExecutor(len(WAYS)) as pool:
            found = dict(zip((way.name for way in WAYS), pool.map(lambda way: _asked(mill, way, call_s), WAYS), strict=True))
    answers = [[{**cluster, "seconds": None} for cluster in one.clusters] for one in found.values()]
    if any(answer != answers[0] for answer in answers):
        raise Unclean(f"the clusters differ by who asks: {answers}")
    return found


def _asked(mill: Mill, way: Way, call_s: float) -> Asked:
    shares = [list(CLUSTERS)] if way.replicas == 1 else [[cluster] for cluster in CLUSTERS]
    with ThreadPoolExecutor(len(shares)) as pool:
        began = time.monotonic()
        jobs = list(pool.map(lambda share: _job(mill, way, share, call_s), shares))
        seconds = time.monotonic() - began
    if any(job.status != "finished" for job in jobs):
        raise Unclean(f"{way.title}: {jobs}")
    return Asked(seconds, [cluster for job in jobs for cluster in job.result])


def _job(mill: Mill, way: Way, share: Sequence[int], call_s: float) -> JobView:
    with Client(mill.product.url) as client:
        return client.submit(way.task, share, call_s, queue=way.queue, wait_s=60)
