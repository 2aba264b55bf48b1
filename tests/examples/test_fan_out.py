"""The articles' question through Millpond, under each pool and as a fan-out over four replicas: the same data, each in its own time."""

from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic

import pytest

from examples.cluster_info import CLUSTERS, Cluster, ask_in_turn
from examples.fan_out import cluster_info_by_jobs
from millpond.client import Client
from tests.pace import within
from tests.servers import RedisServer
from tests.system.site import Site
from tests.until import until

POOLS = ("thread", "process", "gevent")
REPLICAS = 4


@pytest.fixture(scope="module")
def client(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Of a site with four replicas, whose slots all calls together fill, and a worker of each other pool with a queue of its own."""
    folder = tmp_path_factory.mktemp("site")
    with redis_server.client() as redis:
        redis.flushall()
    with Site(folder, redis_server.url, f"sqlite:///{folder}/record.db", TASKS="clusters", CONCURRENCY=4) as site:
        site.start(workers=REPLICAS)
        for pool in ("process", "gevent"):
            site.add_worker(POOL=pool, QUEUES=pool)
        with site.client(timeout_s=60) as client:
            until(lambda: len(client.workers()) == REPLICAS + 2, 30, "all workers are registered")
            yield client


def by_pool(client: Client, pool: str, seconds: float) -> list[Cluster]:
    """A job for each cluster, in a slot of its own of that pool; a thread and a process ask in a row, a greenlet all at once."""
    task = "cluster_info_gevent" if pool == "gevent" else "cluster_info_threads"
    queue = "default" if pool == "thread" else pool
    ids = [client.submit(task, [cluster], seconds, queue=queue).id for cluster in CLUSTERS]
    return [client.get(id, wait_s=60).result[0] for id in ids]


@pytest.mark.timeout(300)
def test_equal_data_each_in_its_own_time(client: Client, full: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """By the articles: threads and processes take eight calls' time, greenlets two, as a fan-out of all calls does. Of what Millpond adds,
    only that the last two stay far below the first is required here."""
    seconds = 3.0 if full else 0.5
    ways: dict[str, Callable[[float], list[Cluster]]] = {pool: partial(by_pool, client, pool) for pool in POOLS}
    ways["fan-out"] = lambda seconds: cluster_info_by_jobs(client, seconds=seconds)
    calls = {"thread": 8, "process": 8, "gevent": 2, "fan-out": 2}
    took: dict[str, float] = {}
    for way, ask in ways.items():
        ask(0.0)  # what is made when it is first needed: runners, connections
        began = monotonic()
        found = ask(seconds)
        took[way] = monotonic() - began
        assert [one | {"seconds": 0} for one in found] == [ask_in_turn(cluster, 0) | {"seconds": 0} for cluster in CLUSTERS]
        assert calls[way] * seconds <= took[way] < within(1.5 * calls[way] * seconds + 4)
    with capsys.disabled():
        print("\n" + ", ".join(f"{way} {value:.2f} s" for way, value in took.items()) + f" at {seconds} s a call")
    assert max(took["gevent"], took["fan-out"]) < min(took["thread"], took["process"])


@pytest.mark.parametrize("pool", POOLS)
def test_the_articles_ways_work_in_every_pool(client: Client, pool: str) -> None:
    queue = "default" if pool == "thread" else pool
    calls = {"threads": 8, "processes": 8, "gevent": 2}  # in a row
    ids = {way: client.submit(f"cluster_info_{way}", None, 0.05, queue=queue).id for way in calls}
    for way, id in ids.items():
        found = client.get(id, wait_s=60).result
        assert [one | {"seconds": 0} for one in found] == [ask_in_turn(cluster, 0) | {"seconds": 0} for cluster in CLUSTERS]
        assert all(cluster["seconds"] >= calls[way] * 0.05 for cluster in found)


def test_the_calls_of_a_fan_out_are_spread_over_all_replicas(client: Client) -> None:
    ids = [client.submit("cluster_call", "node_id", number, 0.5).id for number in range(4 * REPLICAS)]
    jobs = [client.get(id, wait_s=30) for id in ids]
    assert [job.result for job in jobs] == [{"node_id": number} for number in range(4 * REPLICAS)]
    assert len({job.worker for job in jobs}) == REPLICAS


def test_a_call_that_fails_is_an_error(client: Client) -> None:
    with pytest.raises(RuntimeError, match="is failed"):
        cluster_info_by_jobs(client, [1], seconds=-1.0)  # time.sleep refuses it
