"""Replicas stop and are replaced under load: what is in hand is answered, and a client that repeats once loses nothing (must show 8)."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.api.gauges import gauges
from tests.api.hand import Hand
from tests.api.listener import Heard, Listener
from tests.api.replica import Replica
from tests.api.traffic import Request, Traffic, reading, submission
from tests.until import until


@pytest.fixture
def pair(redis_url: str, hand: Hand, shared_database: str, tmp_path: Path) -> Iterator[list[Replica]]:
    """Two that nobody else uses."""
    with Replica(tmp_path, redis_url, shared_database) as one, Replica(tmp_path, redis_url, shared_database) as other:
        for replica in (one, other):
            until(replica.is_ready, 5)
        yield [one, other]


class Follower(threading.Thread):
    """Reads the events of one job as an EventSource does: when a stream ends it goes on with the next replica."""

    def __init__(self, replicas: list[Replica], id: str) -> None:
        super().__init__(daemon=True)
        self.events: list[Heard] = []
        self.unclean = 0
        self.over = threading.Event()
        self._replicas, self._id = replicas, id

    def run(self) -> None:
        turn = -1
        while not self.over.is_set():
            turn += 1
            try:
                listener = Listener(self._replicas[turn % 2], self._id, self.events[-1].id if self.events else None)
            except OSError:
                self.over.wait(0.05)
                continue
            with listener:
                listener.over.wait(60)
            self.unclean += not listener.clean
            self.events += listener.events
            if listener.status == 204:  # told the end already
                self.over.set()


@contextmanager
def busy(replicas: list[Replica], size: int, requests: list[Request]) -> Iterator[Traffic]:
    traffic = Traffic(replicas, size, requests)
    thread = threading.Thread(target=lambda: asyncio.run(traffic.run()))
    thread.start()
    try:
        yield traffic
    finally:
        traffic.over = True
        thread.join(30)
    print(traffic)


def never_ends(replica: Replica) -> str:
    id: str = replica.submit({"task": "add", "args": [1], "delay_s": 3600}).json()["id"]
    return id


def test_everything_in_hand_is_answered(pair: list[Replica], hand: Hand, full: bool) -> None:
    """SIGTERM with submissions on their way, long polls of both kinds and streams open."""
    own, other = pair
    id = never_ends(other)
    waits: list[Request] = [lambda: reading(f"/v1/jobs/{id}?wait=60"), lambda: submission("wait=60")]
    size = 200 if full else 20
    followers = [Follower(pair, id) for _ in range(size // 4)]
    for follower in followers:
        follower.start()
    with busy([own, own], size, waits) as waiting, busy([own, other], 8, [submission, lambda: reading(f"/v1/jobs/{id}")]) as working:
        until(lambda: gauges(own)["millpond_waiting_requests"] >= size and sum(working.answered.values()) > 100, 20)
        until(lambda: gauges(own)["millpond_event_streams"] == len(followers), 10)
        waiting.over = True  # nobody asks again
        own.signal(signal.SIGTERM)
        assert own.wait(20) == 0
        until(lambda: sum(waiting.answered.values()) == size, 5)
    assert (waiting.lost, waiting.refused, waiting.answered) == (0, 0, {200: size // 2, 202: size // 2})
    assert (working.lost, working.failed, set(working.answered)) == (0, 0, {200, 202})
    assert own.events("api_stopped")[0]["cut_requests"] == 0
    assert other.http.post(f"/v1/jobs/{id}/cancel").status_code == 200
    for follower in followers:
        follower.join(10)
        assert follower.unclean == 0
        assert [event.name for event in follower.events] == ["state", "end"]


def test_replicas_replaced_one_by_one(pair: list[Replica], hand: Hand, full: bool) -> None:
    id = never_ends(pair[0])
    path = f"/v1/jobs/{id}"
    requests: list[Request] = [submission, lambda: reading(path), lambda: reading(f"{path}?wait=1"), lambda: submission("wait=1")]
    follower = Follower(pair, id)
    follower.start()
    with busy(pair, 48 if full else 12, requests) as traffic:
        for _ in range(5 if full else 1):
            for replica in pair:
                answered = sum(traffic.answered.values())
                assert replica.stop() == 0
                assert replica.start().ready()
                until(replica.is_ready, 5)
                until(lambda answered=answered: sum(traffic.answered.values()) > answered + 50, 20)  # type: ignore[misc]
    assert traffic.failed == 0
    assert set(traffic.answered) <= {200, 202, 503}  # 503: asked a replica that is about to stop whether it was ready
    assert {line["cut_requests"] for replica in pair for line in replica.events("api_stopped")} == {0}
    assert pair[0].http.post(f"/v1/jobs/{id}/cancel").status_code == 200
    follower.join(10)
    assert [event.name for event in follower.events] == ["state", "end"]
    assert hand.client.scard("mp:open") > 0
