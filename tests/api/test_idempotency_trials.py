"""Twenty at once with one key, over two replicas, many times: one job each time, whatever became of it and of Redis since."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from millpond import keys
from millpond.store import open_store
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.servers import RedisServer
from tests.until import until

PARALLEL = 20


@dataclass(frozen=True)
class Told:
    """An answer to a submission: its status, the job's id, whether it was a repeat, and how often it was asked for."""

    status: int
    id: str
    replayed: bool
    asked: int = field(default=1, compare=False)


class Line:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def submit(self, number: int) -> Told:
        """Submit job `number` under its key; where no answer is to be had in time, again, as clients must."""
        for asked in range(1, 20):
            told = await self._ask(number, asked)
            if told.status != 503:
                break
        return told

    async def _ask(self, number: int, asked: int) -> Told:
        body = b'{"task":"add","args":[%d]}' % number
        head = b'POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nIdempotency-Key: "trial-%d"\r\n' % number
        self._writer.write(head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if line)
        job = json.loads(await self._reader.readexactly(int(headers["content-length"])))
        return Told(int(first.split()[1]), job.get("id", ""), "idempotency-replayed" in headers, asked)

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def lines(replicas: Sequence[Replica]) -> AsyncIterator[list[Line]]:
    """`PARALLEL` connections, as many to each replica."""
    ports = [replicas[at % len(replicas)].port for at in range(PARALLEL)]
    opened = [Line(*await asyncio.open_connection("127.0.0.1", port)) for port in ports]
    yield opened
    for line in opened:
        line.close()


async def trials(replicas: Sequence[Replica], count: int) -> list[list[Told]]:
    """For each key, what all were told who used it at once."""
    async with lines(replicas) as opened:
        return [list(await asyncio.gather(*(line.submit(number) for line in opened))) for number in range(count)]


@pytest.fixture(scope="module")
def store_of_keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that may be restarted."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def replicas(store_of_keys: RedisServer, shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Replica]]:
    """Two replicas on it."""
    folder = tmp_path_factory.mktemp("replicas")
    Hand(store_of_keys.url).offer()
    with Replica(folder, store_of_keys.url, shared_database) as one, Replica(folder, store_of_keys.url, shared_database) as other:
        until(lambda: one.is_ready() and other.is_ready(), 10)
        yield [one, other]


def by_state(told: list[list[Told]], status: int) -> list[str]:
    """The one id of each trial; everybody was answered with that status."""
    ids = [{one.id for one in all_told} for all_told in told]
    assert {len(found) for found in ids} == {1}
    assert {one.status for all_told in told for one in all_told} == {status}
    return [id for (id,) in ids]


@pytest.fixture(scope="module")
def told(replicas: list[Replica], full: bool) -> list[list[Told]]:
    """What everybody was told the first time."""
    return asyncio.run(trials(replicas, 10_000 if full else 200))


@pytest.fixture(scope="module")
def ids(told: list[list[Told]]) -> list[str]:
    """The job of each key."""
    return [all_told[0].id for all_told in told]


def all_replayed(replicas: Sequence[Replica], ids: list[str], full: bool) -> None:
    """Everybody who comes again is told the same finished jobs."""
    told = asyncio.run(trials(replicas, 500 if full else 40))
    assert told == [[Told(200, id, replayed=True)] * PARALLEL for id in ids[: len(told)]]


@pytest.mark.timeout(1800)
def test_one_job_for_each_key(told: list[list[Told]], ids: list[str], store_of_keys: RedisServer) -> None:
    again = sum(one.asked > 1 for all_told in told for one in all_told)
    print(f"{len(told)} trials of {PARALLEL} parallel submissions with one key: {len(set(ids))} jobs; {again} asked again after a 503")
    assert {one.status for all_told in told for one in all_told} == {202}
    assert {len({one.id for one in all_told}) for all_told in told} == {1}
    for all_told in told:  # who is first may have been told so by an answer that came too late
        assert sum(not one.replayed for one in all_told) == 1 or any(one.asked > 1 for one in all_told)
    assert len(set(ids)) == len(told)


@pytest.fixture(scope="module")
def forgotten(ids: list[str], store_of_keys: RedisServer, shared_database: str) -> list[str]:
    """The jobs, run, recorded and forgotten."""
    hand, store = Hand(store_of_keys.url), open_store(shared_database)
    assert hand.client.scard(keys.OPEN) == hand.client.llen(keys.queue("default")) == len(ids)
    while jobs := hand.begin(500):
        hand.finish(*jobs, result=1)
        hand.collect(store, *(job.id for job in jobs))
        hand.forget(*(job.id for job in jobs))
    store.close()
    return ids


@pytest.mark.timeout(1800)
def test_the_same_jobs_after_they_were_recorded_and_forgotten(
    replicas: list[Replica], store_of_keys: RedisServer, forgotten: list[str], full: bool
) -> None:
    with store_of_keys.client() as client:
        assert not client.exists(keys.OPEN, *map(keys.job, forgotten[:1000]))
        all_replayed(replicas, forgotten, full)
        assert not client.exists(keys.OPEN)


@pytest.mark.timeout(1800)
def test_the_same_jobs_after_redis_was_killed(
    replicas: list[Replica], store_of_keys: RedisServer, forgotten: list[str], full: bool
) -> None:
    store_of_keys.restart()
    until(lambda: all(replica.is_ready() for replica in replicas), 15)
    all_replayed(replicas, forgotten, full)
    with store_of_keys.client() as client:
        assert not client.exists(keys.OPEN)
