"""Each part taken away under load, one by one: nothing lost, nothing doubled, no living worker's job taken back (issue 2, 5)."""

import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.servers import PostgresServer, RedisServer
from tests.system.site import Api, Site, Toil
from tests.until import holds, until

JOB_S, CLIENTS, PACE_S = 0.05, 6, 0.1  # about 50 jobs a second, a tenth of what the workers can do
BEFORE = AFTER = 50  # jobs accepted before a fault, and after it


@pytest.fixture(scope="module")
def postgres(server_folder: Path) -> Iterator[PostgresServer]:
    with PostgresServer(server_folder / "postgres-of-faults") as server:
        yield server


@pytest.fixture(scope="module")
def site(folder: Path, own_redis: RedisServer, postgres: PostgresServer) -> Iterator[Site]:
    with Site(folder, own_redis.url, postgres.fresh_database(), DEAD_CONSUMER_S=2) as site:
        yield site.start(apis=2, workers=2)


def survive(site: Site, fault: Callable[[Toil], object]) -> Toil:
    """Run a load with the fault in its middle, and judge it."""
    with site.toil(JOB_S, threads=CLIENTS, pace_s=PACE_S) as load:
        until(lambda: len(load.sent()) >= BEFORE, 20, "the load runs")
        fault(load)
        enough = len(load.sent()) + AFTER
        until(lambda: len(load.sent()) >= enough, 30, "jobs are accepted after it")
        load.finish()
        load.settle()
    verdict = load.judge()
    assert verdict.reruns == 0, "a living worker's job was taken back"
    return load


def lives(api: Api) -> bool:
    """Whether the API's loop turns: /livez asks nobody else."""
    with urllib.request.urlopen(f"{api.url}/livez", timeout=0.5) as answer:
        return bool(answer.status == 200)


def test_the_collector_dies_between_commit_and_acknowledgement(site: Site) -> None:
    def fault(load: Toil) -> None:
        doomed = site.add_collector(FAILPOINT="collector.committed:kill:3")
        site.collectors.pop(0).stop()
        until(lambda: not doomed.alive, 20, "the collector passed its point")
        assert doomed.returncode == -9
        site.collectors.remove(doomed)
        site.add_collector()

    survive(site, fault)


def test_redis_is_killed_and_started_again(site: Site, own_redis: RedisServer) -> None:
    survive(site, lambda load: own_redis.restart())


def test_redis_is_stopped_for_6_s(site: Site, own_redis: RedisServer) -> None:
    def fault(load: Toil) -> None:
        own_redis.pause()
        holds(lambda: all(lives(api) for api in site.apis), 6, "the API's loop turns while Redis is silent")
        own_redis.resume()

    survive(site, fault)


def test_postgresql_is_down_for_20_s(site: Site, postgres: PostgresServer) -> None:
    def fault(load: Toil) -> None:
        postgres.stop()
        accepted = len(load.sent())
        holds(lambda: all(service.alive for service in [*site.apis, *site.collectors]), 20, "nobody dies of it", every_s=0.5)
        assert len(load.sent()) > accepted + 100, "jobs are accepted meanwhile"
        postgres.start()

    survive(site, fault)


def test_a_replica_of_the_api_is_killed(site: Site) -> None:
    def fault(load: Toil) -> None:
        doomed = site.apis[0]
        doomed.kill_all()
        seen = len(load.sent())
        until(lambda: len(load.sent()) > seen + 20, 20, "the other replica takes over")
        doomed.start()

    load = survive(site, fault)
    assert any(sent.tries > 1 for sent in load.sent())
