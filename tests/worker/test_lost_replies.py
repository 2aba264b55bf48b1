"""Connections that break at the worst moment: nothing is lost, nothing is done twice, nothing waits long (rules 4 and 9)."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from rq.command import send_stop_job_command

from millpond import joblog
from tests.pace import within
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import holds, until
from tests.worker.mill import Mill, Worker


@pytest.fixture(scope="module")
def proxy(redis_server: RedisServer) -> Iterator[RedisProxy]:
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def worker(steady_mill: Mill, proxy: RedisProxy) -> Iterator[Worker]:
    """A worker whose every byte passes the proxy. It bears all that is done to it here, but for the last test."""
    with steady_mill.worker(url=proxy.url) as worker:
        yield worker


@pytest.fixture
def mill(steady_mill: Mill) -> Mill:
    """Without the notes of the test before."""
    Path(steady_mill.file).unlink(missing_ok=True)
    return steady_mill


def all_once(mill: Mill, ids: list[str], timeout_s: float = 15) -> None:
    """Every job finished, in one attempt, begun once; nothing is held."""
    for id in ids:
        assert mill.wait(id, timeout_s=timeout_s)["attempt"] == "1"
    begun = sorted(note.job for note in mill.notes("begin") if note.job in ids)
    assert begun == sorted(ids)
    until(lambda: not any(mill.held().values()), 3, "no lease that no process knows")


@pytest.mark.parametrize("mode", ["close", "silent"])
@pytest.mark.parametrize("move", ["claim", "start", "finish", "compare"])
def test_a_lost_reply_costs_at_most_3_s(mill: Mill, worker: Worker, proxy: RedisProxy, move: str, mode: str) -> None:
    lost = proxy.swallow(move, 3, mode=mode)  # type: ignore[arg-type]
    began = monotonic()
    ids = mill.submit_many("nap", [(mill.file, 0.1)] * 30)
    for id in ids:
        mill.wait(id, timeout_s=15)
    assert monotonic() - began < within(3 * 3 + 1)
    until(lambda: lost.dropped == 3, 5, "three replies were lost")
    all_once(mill, ids)


@pytest.mark.parametrize("mode", ["close", "silent"])
def test_no_line_is_lost_or_said_twice(mill: Mill, worker: Worker, proxy: RedisProxy, mode: str) -> None:
    lost = [proxy.swallow(move, 2, mode=mode) for move in ("report", "finish")]  # type: ignore[arg-type]
    ids = mill.submit_many("chatter", [(50, 0.01)] * 5)
    for id in ids:
        mill.wait(id, timeout_s=20)
    # Two calls of one write lose their replies together.
    until(lambda: not any(one.left for one in lost), 10, "all were said again that were to be lost")
    for id in ids:
        found = {name: value.encode() for name, value in mill.job(id).items()}
        (text,) = joblog.texts(joblog.pieces(found)).values()
        assert [line.text for line in joblog.lines(text)] == [str(number) for number in range(50)]


@pytest.mark.parametrize("mode", ["close", "silent"])
def test_a_lost_hand_back_is_said_again(mill: Mill, worker: Worker, proxy: RedisProxy, mode: str) -> None:
    lost = proxy.swallow("hand_back", 1, mode=mode)  # type: ignore[arg-type]
    for _ in range(10):  # a claim that got nothing may be the one whose reply is lost: then nothing is handed back
        if not lost.dropped:
            proxy.swallow("claim", 1, mode="close")
            all_once(mill, mill.submit_many("nap", [(mill.file, 0.0)] * 30))
    assert lost.dropped == 1


def test_what_must_not_start_twice_waits_for_its_start_s_answer(mill: Mill, worker: Worker, proxy: RedisProxy) -> None:
    held = proxy.hold("start")
    id = mill.submit("once", mill.file, 0.0, rerun="never")
    assert held.caught.wait(5)
    holds(lambda: not mill.notes(), 0.7, "it began before its start was confirmed")
    held.release()
    all_once(mill, [id])


def test_other_functions_begin_when_their_start_is_on_its_way(mill: Mill, worker: Worker, proxy: RedisProxy) -> None:
    held = proxy.hold("start")
    id = mill.submit("nap", mill.file, 0.0)
    assert held.caught.wait(5)
    mill.begun(1)
    held.release()
    all_once(mill, [id])


@pytest.mark.parametrize("move", ["claim", "compare", "start", "finish"])
def test_a_late_request_of_an_old_connection_does_no_harm(mill: Mill, worker: Worker, proxy: RedisProxy, move: str) -> None:
    ids = mill.submit_many("nap", [(mill.file, 0.3)] * 5)
    held = proxy.hold(move)
    ids += mill.submit_many("nap", [(mill.file, 0.3)] * 40)
    assert held.caught.wait(10)
    seen = proxy.accepted
    until(lambda: proxy.accepted > seen, 5, "the child gave the connection up and came again")
    if move != "claim":
        mill.begun(20)
    held.release()
    all_once(mill, ids)


def test_redis_restarts_under_work(mill: Mill, tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("redis")) as redis:
        own = Mill(redis.url, tmp_path_factory.mktemp("own"))
        with own.worker():
            ids = own.submit_many("nap", [(own.file, 0.2)] * 200)
            own.begun(25)
            redis.kill()
            redis.start()
            all_once(own, ids, 30)
        own.close()


def test_redis_stops_for_6_s_under_work(mill: Mill, tmp_path_factory: pytest.TempPathFactory) -> None:
    with RedisServer(tmp_path_factory.mktemp("redis")) as redis:
        own = Mill(redis.url, tmp_path_factory.mktemp("own"))
        with own.worker() as worker:
            child = worker.children
            ids = own.submit_many("nap", [(own.file, 0.2)] * 100)
            own.begun(25)
            redis.pause()
            paused = monotonic()
            until(lambda: monotonic() - paused > 6, 10)
            redis.resume()
            all_once(own, ids, 30)
            assert worker.children == child
            endless = own.submit("spin", own.file, 60.0)
            own.wait(endless, "started")
            # Commands are heard again: a subscription does not stay deaf after a stall.
            until(lambda: own.client.pubsub_numsub(f"rq:pubsub:{worker.name}")[0][1] == 1, 5, "it listens")
            send_stop_job_command(own.client, endless)
            own.wait(endless, "stopped")
        own.close()


def test_without_confirmed_life_nothing_begins(mill: Mill, worker: Worker, proxy: RedisProxy) -> None:
    """The parent's heartbeats are lost; 2.5 s after the last confirmed one the child begins nothing more."""
    proxy.swallow("heartbeat", 1_000, mode="silent")
    stopped = monotonic()
    until(lambda: monotonic() - stopped > 3.2, 10)
    ids = mill.submit_many("nap", [(mill.file, 0.0)] * 5)
    holds(lambda: not mill.notes(), 1, "it began a job")
    assert [mill.state(id) for id in ids].count("finished") == 0
