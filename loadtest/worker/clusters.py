"""What is in four clusters, by threads, by processes, by gevent, and as a fan-out of jobs over replicas that the caller gathers.

Every answer of a node or a switch takes its seconds; the article's own figures are for three.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from loadtest.ladder.servers.clusters import CLUSTERS
from loadtest.stage import EVERYWHERE, wait
from loadtest.worker.measure import Unclean
from loadtest.worker.mill import Mill
from millpond.client import Client

TASKS = {"MILLPOND_TASKS": "noop,examples"}

Found = list[dict[str, Any]]  # a cluster each


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
    clusters: Found


@contextmanager
def crews(mill: Mill, ways: Sequence[Way] = WAYS) -> Iterator[Client]:
    """A caller, and the workers of these ways, each of which has run a job: while one starts, nobody can be asked in peace. They only
    wait afterwards, so none needs a core alone."""
    seats = [(way, f"{way.queue}-{number}") for way in ways for number in range(way.replicas)]
    envs = [
        {**TASKS, "MILLPOND_POOL": way.pool, "MILLPOND_QUEUES": f"{way.queue},{own}", "MILLPOND_CONCURRENCY": "1"} for way, own in seats
    ]
    with mill.mixed(envs, EVERYWHERE), Client(mill.product.url) as client:
        wait(client.tasks, "the API knows the tasks")
        first = [client.submit("noop", queue=own).id for _, own in seats]
        if any(client.get(id, wait_s=60).status != "finished" for id in first):
            raise Unclean("a worker did not run its first job")
        yield client


def ask(mill: Mill, call_s: float) -> dict[str, Asked]:
    """Ask in every way, side by side. Raises Unclean if they do not find the same."""
    with crews(mill) as client, ThreadPoolExecutor(len(WAYS)) as pool:
        found = dict(zip((way.name for way in WAYS), pool.map(lambda way: asked(client, way, call_s), WAYS), strict=True))
    alike({name: one.clusters for name, one in found.items()})
    return found


def asked(client: Client, way: Way, call_s: float) -> Asked:
    """Ask in this way. Raises Unclean if a job failed."""
    shares = [list(CLUSTERS)] if way.replicas == 1 else [[cluster] for cluster in CLUSTERS]
    with ThreadPoolExecutor(len(shares)) as pool:
        began = time.monotonic()
        jobs = list(pool.map(lambda share: client.submit(way.task, share, call_s, queue=way.queue, wait_s=60), shares))
        seconds = time.monotonic() - began
    if any(job.status != "finished" for job in jobs):
        raise Unclean(f"{way.title}: {jobs}")
    return Asked(seconds, [cluster for job in jobs for cluster in job.result])


def alike(found: Mapping[str, Found]) -> None:
    """Raise Unclean if not all, by who asked, found the same; how many `seconds` each cluster took is their own."""
    answers = [[{**cluster, "seconds": None} for cluster in clusters] for clusters in found.values()]
    if any(answer != answers[0] for answer in answers):
        raise Unclean(f"the clusters differ by who asks: {dict(found)}")
