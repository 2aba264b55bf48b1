"""Rule 3. Only the start mark tells what was begun; it is on the socket before the function, and confirmed where rerun is never."""

import os
import signal
from collections.abc import Iterator

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import holds, until
from tests.worker.mill import Mill, Worker


@pytest.mark.parametrize("how", ["hand_back", "take_back"])
def test_the_mark_decides_and_not_rq_s_status(pond: Pond, how: str) -> None:
    pond.submit(2)
    child = pond.hire()
    begun, claimed = child.claim()
    child.start(begun)
    assert {pond.job(job.id)["status"] for job in (begun, claimed)} == {"started"}
    if how == "hand_back":
        child.hand_back("retire", "died")
    else:
        pond.bury("w1")
        pond.run(moves.take_back("w1"))
    counted = [[pond.job(job.id).get(name, "0") for name in ("attempt", "failures", "deaths", "crashes")] for job in (begun, claimed)]
    assert counted == [["1", "0", "1", "0"], ["0", "0", "0", "0"]]
    assert ["o:1:1" in pond.job(job.id) for job in (begun, claimed)] == [True, False]


def test_each_count_counts_its_own(pond: Pond) -> None:
    (id,) = pond.submit(fields={"max_attempts": 3})
    child = pond.hire()
    child.end(child.work()[0], "failed", retry_ms=0)
    pond.run(moves.promote())
    child.work()
    child.hand_back("retire", "died")
    pond.hire(generation=2).work()
    pond.hire(generation=2).hand_back("retire", "died")
    again = pond.hire(generation=3)
    again.work(alone=True)
    again.hand_back("retire", "died")
    last = pond.hire(generation=4)
    last.end(last.work(alone=True)[0])
    job = pond.job(id)
    assert [job[name] for name in ("state", "attempt", "failures", "deaths", "crashes")] == ["finished", "5", "1", "3", "1"]
    assert [f"o:1:{number}" in job for number in range(1, 6)] == [True] * 5


def test_rerun_never_is_not_begun_a_second_time(pond: Pond) -> None:
    (id,) = pond.submit(fields={"rerun": "never", "max_attempts": 5})
    pond.hire().work()
    pond.bury("w1")
    pond.run(moves.take_back("w1"))
    assert (pond.job(id)["state"], pond.job(id)["error_code"]) == ("failed", "interrupted")
    (second,) = pond.submit(fields={"rerun": "never"})
    child = pond.hire("w2")
    (job,) = child.claim()
    pond.ask("HSET", keys.job(second), "attempt", 1)
    assert child.start(job) == ["no"]
    assert (pond.job(second)["state"], pond.job(second)["error_code"]) == ("failed", "interrupted")


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[RedisProxy]:
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture
def worker(mill: Mill, proxy: RedisProxy) -> Iterator[Worker]:
    with mill.worker(url=proxy.url) as worker:
        yield worker


def test_rerun_never_waits_for_its_mark(mill: Mill, worker: Worker, proxy: RedisProxy) -> None:
    held = proxy.hold("start")
    id = mill.submit("once", mill.file, 0.0, rerun="never")
    assert held.caught.wait(10)
    holds(lambda: not mill.notes(), 0.7, "it began before its mark was confirmed")
    held.release()
    assert mill.wait(id)["attempt"] == "1"
    assert len(mill.notes("begin")) == 1


def test_other_functions_begin_when_their_mark_is_on_its_way(mill: Mill, worker: Worker, proxy: RedisProxy) -> None:
    held = proxy.hold("start")
    id = mill.submit("nap", mill.file, 2.0)
    mill.begun(1)
    assert held.caught.is_set(), "the function began before its mark was sent"
    child = worker.children[0]
    held.release()
    until(lambda: mill.job(id).get("mark") == "1", 5)
    os.kill(child, signal.SIGKILL)
    assert mill.wait(id, timeout_s=20)["deaths"] == "1"
