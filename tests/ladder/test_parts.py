"""The ladder's parts: the ledger, the rates, the search, the consumer's retry, servers that are killed whole."""

import asyncio
import http.client
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.ladder.capacity import Capacity, search
from loadtest.ladder.climb import rate
from loadtest.ladder.halfway import full_speed
from loadtest.ladder.ledger import Done, Ledger
from loadtest.ladder.meter import Meter
from loadtest.ladder.rungs import RUNGS, Rung
from loadtest.ladder.server import Server
from loadtest.ladder.servers.producer_consumer import Consumer
from loadtest.stage import tree
from tests.processes import exists
from tests.until import until

BY_NAME = {rung.name: rung for rung in RUNGS}


def get(port: int, body: bytes) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/", body=body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_many_may_write_to_a_ledger(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    assert ledger.read() == []
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ledger.add, range(1000)))
    done = ledger.read()
    assert sorted(one.n for one in done) == list(range(1000))


@pytest.mark.parametrize(
    ("at_s", "per_s"),
    [
        ([], 0),
        ([1, 2, 3, 4], 1),  # one after the other, a second each
        ([1] * 20 + [2] * 20, 20),  # twenty side by side
        ([1, 2, 3, 30], 1),  # what came long after is not of this
    ],
)
def test_jobs_a_second_are_counted_from_when_the_first_was_begun(at_s: list[float], per_s: float) -> None:
    assert rate([Done(n, at) for n, at in enumerate(at_s)], work_s=1.0, window_s=10.0) == pytest.approx(per_s)


def test_what_is_no_work_was_begun_as_it_was_done() -> None:
    assert rate([Done(n, n / 100) for n in range(101)], work_s=0.0, window_s=10.0) == pytest.approx(101)


def test_full_speed_is_seen_when_it_is_back() -> None:
    four = [second / 20 for second in range(200)]  # 20 a second
    assert full_speed(four, kill_s=5.0, per_s=20.0) == 0.0
    less = [at for n, at in enumerate(four) if at < 5 or at >= 8 or n % 4]
    found = full_speed(less, kill_s=5.0, per_s=20.0)
    assert found is not None
    assert 2.0 < found <= 3.0
    assert full_speed([at for at in four if at < 5], kill_s=5.0, per_s=20.0) is None


@given(limit=st.integers(0, 5000), most=st.integers(1, 4096))
def test_the_search_comes_within_a_tenth(limit: int, most: int) -> None:
    tried: list[int] = []

    def holds(clients: int) -> bool:
        tried.append(clients)
        return clients <= limit

    found = search(holds, most)
    assert max(tried) <= most
    assert found.clients <= limit
    if found.least:
        assert most / 2 < found.clients
    else:
        assert min(limit, limit / 1.1 - 1) <= found.clients
    assert found.clients == 0 or found.clients in tried


def test_a_search_that_fails_at_one_holds_none() -> None:
    assert search(lambda clients: False, 16) == Capacity(0, least=False)


async def test_the_consumer_puts_a_failed_job_back() -> None:
    failed: set[int] = set()

    def work(n: int) -> int:
        if n % 2 and n not in failed:
            failed.add(n)
            raise OSError("not now")
        return n

    with ThreadPoolExecutor(4) as threads:
        consumer = Consumer(work, threads, period_s=0.01)
        running = asyncio.ensure_future(consumer.run())
        for n in range(10):
            await consumer.put(n)
        await asyncio.to_thread(until, lambda: len(consumer.collected) == 10)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert sorted(consumer.collected) == list(range(10))
    assert failed == {1, 3, 5, 7, 9}


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if rung.module], ids=lambda rung: rung.name)
def test_a_server_does_its_work_refuses_what_it_cannot_read_and_is_killed_whole(rung: Rung, tmp_path: Path) -> None:
    with Server(rung, tmp_path, work_s=0.01) as server:
        assert get(server.port, b'{"job_id": 7}') == (200, f"7 {rung.word}".encode())
        assert [get(server.port, body)[0] for body in (b"", b"[]", b'{"job_id": null}', b"\xff")] == [400] * 4
        with Meter(server.process) as meter:
            get(server.port, b'{"job_id": 8}')
        assert meter.peak_mb > 1
        pids = list(tree(server.process.pid))
        assert len(pids) >= (rung.slots if rung.name in ("forked", "process_executor") else 1)
        server.kill()
        assert not any(exists(pid) for pid in pids)
        server.start()
        assert get(server.port, b'{"job_id": 9}')[0] == 200
    assert {7, 8, 9} >= {one.n for one in server.ledger.read()} >= ({7, 8, 9} if not rung.queues else set())
