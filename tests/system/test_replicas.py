"""Two replicas of the API in strict alternation: what one accepted, the other knows (issue 2, 6)."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from millpond.client import Client
from tests.pace import within
from tests.system.site import Site


@pytest.fixture(scope="module")
def site(folder: Path, redis_server_url: str) -> Iterator[Site]:
    with Site(folder, redis_server_url, f"sqlite:///{folder}/record.db", TASKS="examples") as site:
        yield site.start(apis=2)


@pytest.fixture(params=[0, 1], ids=["first-then-second", "second-then-first"])
def pair(request: pytest.FixtureRequest, site: Site) -> Iterator[tuple[Client, Client]]:
    """(the replica that is told, the replica that is asked)"""
    with site.client(request.param) as one, site.client(1 - request.param) as other:
        yield one, other


def test_a_job_is_read_from_the_other(pair: tuple[Client, Client]) -> None:
    one, other = pair
    job = one.submit("sleep", 0, job_id=7, tags={"who": "reader"})
    seen = other.get(job.id)
    assert (seen.id, seen.task, seen.args, seen.kwargs, seen.tags) == (job.id, "sleep", [0], {"job_id": 7}, {"who": "reader"})


def test_a_job_is_waited_for_at_the_other(pair: tuple[Client, Client]) -> None:
    one, other = pair
    job = one.submit("sleep", 0.5, job_id=8)
    began = time.monotonic()
    ended = other.get(job.id, wait_s=10)
    assert (ended.status, ended.result) == ("finished", 8)
    assert time.monotonic() - began < within(3)  # told when it ended, not after the wait


def test_a_job_is_canceled_at_the_other(pair: tuple[Client, Client]) -> None:
    one, other = pair
    job = one.submit("sleep", 0, delay_s=600)
    assert other.cancel(job.id).status == "canceled"
    assert one.get(job.id).status == "canceled"


def test_a_canceled_job_is_run_again_from_the_other(pair: tuple[Client, Client]) -> None:
    one, other = pair
    job = one.cancel(one.submit("sleep", 0, job_id=9, delay_s=600).id)
    assert other.retry(job.id, version=job.version).id == job.id
    ended = one.get(job.id, wait_s=10)
    assert (ended.status, ended.result, ended.run) == ("finished", 9, 2)


def test_jobs_are_listed_by_the_other(pair: tuple[Client, Client]) -> None:
    one, other = pair
    began = datetime.now(UTC) - timedelta(seconds=5)
    batch = f"{time.monotonic_ns()}"
    jobs = [one.submit("sleep", 0, delay_s=600, tags={"batch": batch}) for _ in range(5)]
    listed = list(other.list(status="scheduled", since=began, **{"tag.batch": batch}, limit=2))
    assert [job.id for job in listed] == [job.id for job in reversed(jobs)]
    for job in listed:
        one.cancel(job.id)


def test_a_key_names_one_job_at_both(pair: tuple[Client, Client]) -> None:
    one, other = pair
    key = f"key-{time.monotonic_ns()}"
    ids = {client.submit("sleep", 0, idempotency_key=key).id for client in (one, other, one, other)}
    assert len(ids) == 1


def test_strict_alternation(site: Site) -> None:
    with site.client(0) as one, site.client(1) as other:
        clients = [one, other]
        jobs = [clients[n % 2].submit("echo", n) for n in range(20)]
        ended = [clients[(n + 1) % 2].get(job.id, wait_s=10) for n, job in enumerate(jobs)]
    assert [job.result for job in ended] == list(range(20))
