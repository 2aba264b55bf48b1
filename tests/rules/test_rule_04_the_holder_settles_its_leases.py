"""Rule 4. The child compares what it holds with what Redis holds, hands back what it does not know, stops what is no longer its;
without a confirmed sign of life it begins nothing; it dies with its parent."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from tests.millpond.scripts.pond import Pond
from tests.pace import within
from tests.processes import exists
from tests.proxy import Hold, RedisProxy
from tests.servers import RedisServer
from tests.until import holds, until
from tests.worker.mill import Keeper, Mill, Worker

VERBS = ("claim", "compare", "start", "finish", "hand_back")


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[RedisProxy]:
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


def test_compare_only_reads(pond: Pond) -> None:
    pond.submit(2)
    child = pond.hire()
    child.work(1)
    before = pond.dump()
    assert len(child.held()) == 1
    assert pond.dump() == before


@pytest.mark.parametrize("mode", ["close", "silent"])
def test_a_claim_whose_reply_was_lost_is_handed_back_within_3_s(mill: Mill, proxy: RedisProxy, mode: str) -> None:
    with mill.worker(url=proxy.url):
        lost = proxy.swallow("claim", 1, mode=mode)  # type: ignore[arg-type]
        sent = monotonic()
        ids = mill.submit_many("nap", [(mill.file, 0.0)] * 10)
        begun = mill.begun(10)
        assert lost.dropped == 1
        assert begun[-1].at - sent < within(3)
        assert {mill.wait(id)["attempt"] for id in ids} == {"1"}
        assert not mill.held()


def test_what_is_no_longer_its_is_stopped(mill: Mill) -> None:
    with mill.worker() as worker:
        id = mill.submit("spin", mill.file, 30.0)
        mill.begun(1)
        lease = f"{worker.name}:1"
        (member,) = mill.held()[lease]
        mill.client.hdel(f"mp:leases:{lease}", member)
        mill.client.hset(f"rq:job:{id}", mapping={"execution": "another", "lease": "other:1"})
        until(lambda: mill.notes("TaskCanceled"), 5, "the function was told to end")


def test_without_a_confirmed_sign_of_life_nothing_begins(mill: Mill, proxy: RedisProxy) -> None:
    """Liveness expires in Redis after 3.5 s; a child that was not confirmed for 2.5 s has to expect that its jobs go elsewhere."""
    with mill.worker(url=proxy.url, concurrency=1, prefetch=4):
        ids = mill.submit_many("nap", [(mill.file, 3.2), (mill.file, 0.0), (mill.file, 0.0)])
        mill.begun(1)
        until(lambda: sum(map(len, mill.held().values())) == 3, 5, "two more are prefetched")
        lost = proxy.swallow("heartbeat", 1_000, mode="silent")
        until(lambda: mill.notes("end"), 10)
        holds(lambda: len(mill.notes("begin")) == 1, 1, "it began what it had prefetched")
        lost.left = 0
        for id in ids:
            assert mill.wait(id, timeout_s=20)["attempt"] == "1"


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_a_child_dies_with_its_parent(mill: Mill, state: str) -> None:
    with mill.worker() as worker:
        (child,) = worker.children
        mill.submit("nap", mill.file, 30.0)
        mill.begun(1)
        if state == "stopped":
            os.kill(child, signal.SIGSTOP)
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: not exists(child), 2, "the child died")


# -- one held request of an old connection, of every kind ---------------------------------------------------------------------------


def hold_one(stack: ExitStack, mill: Mill, redis: RedisServer) -> dict[str, tuple[Worker, RedisProxy, Hold]]:
    """For each kind a worker, and one request of that kind that is held; all have jobs."""
    crews = {}
    for verb in VERBS:
        proxy = stack.enter_context(RedisProxy(redis.port))
        worker = stack.enter_context(mill.worker(url=proxy.url, concurrency=4, prefetch=2))
        crews[verb] = (worker, proxy, proxy.hold(verb, match=retires if verb == "hand_back" else None))
    return crews


def retires(words: list[bytes]) -> bool:
    """Whether a hand_back is the parent's, for its dead child."""
    return words[5] == b"retire"


def prod(mill: Mill, crews: dict[str, tuple[Worker, RedisProxy, Hold]]) -> list[str]:
    """Let every worker come to the request that is held."""
    ids = mill.submit_many("nap", [(mill.file, 0.5)] * 60)
    killed, _, _ = crews["hand_back"]
    until(lambda: any(note.pid in killed.children for note in mill.notes("begin")), 10, "the worker works that loses its child")
    os.kill(killed.children[0], signal.SIGKILL)
    for verb, (_, _, held) in crews.items():
        assert held.caught.wait(15), f"no {verb} came"
    return ids


def all_done(mill: Mill, ids: list[str]) -> None:
    for id in ids:
        mill.wait(id, timeout_s=30)
    until(lambda: not any(mill.held().values()), 8, "no lease that no process knows")


def test_held_requests_come_after_their_senders_went_on(mill: Mill, redis_server: RedisServer) -> None:
    with ExitStack() as stack:
        crews = hold_one(stack, mill, redis_server)
        (lost_child,) = crews["hand_back"][0].children
        ids = prod(mill, crews)
        for verb, (_, proxy, held) in crews.items():
            if verb != "hand_back":
                until(lambda proxy=proxy: proxy.senders["compare"] > 1, 5, f"the child that lost its {verb} came again")  # type: ignore[misc]
            held.release()
        all_done(mill, ids)
        begun = [note.job for note in mill.notes("begin") if note.pid != lost_child]
        assert len(begun) == len(set(begun)), "a job was begun twice while its holder lived"


def test_held_requests_come_after_a_take_back(mill: Mill, redis_server: RedisServer) -> None:
    with ExitStack() as stack, Keeper(mill.url) as keeper:
        crews = hold_one(stack, mill, redis_server)
        ids = prod(mill, crews)
        paused = [(worker, worker.children) for worker, _, _ in crews.values()]
        for worker, children in paused:
            for pid in (*children, worker.pid):
                os.kill(pid, signal.SIGSTOP)
        until(lambda: len(keeper.taken) == len(crews), 15, "keepers took all back")
        heir = stack.enter_context(mill.worker())
        until(lambda: any(note.pid in heir.children for note in mill.notes("begin")), 10, "another has their jobs")
        for _, _, held in crews.values():
            held.release()
        for worker, children in paused:
            for pid in (*children, worker.pid):
                os.kill(pid, signal.SIGCONT)
        all_done(mill, ids)
        frozen = {pid for _, children in paused for pid in children}
        begun = [(note.job, note.attempt) for note in mill.notes("begin") if note.pid not in frozen]
        assert len(begun) == len(set(begun)), "a job was begun twice while its holder lived"
