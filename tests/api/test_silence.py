"""A Redis that is silent: everybody hears so in time, nobody else notices, and it goes on as soon as Redis does."""

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import pytest

from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.pace import within
from tests.servers import RedisServer
from tests.until import holds, until

CLIENTS = 16
NOTICED_S = 0.8  # what is required of a shared machine; with --full it is 0.05 s

_numbers = count()


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        Hand(server.url).offer()
        yield server


def percentile(times: list[float], part: float) -> float:
    return sorted(times)[math.ceil(part * len(times)) - 1]


class Watch:
    """Clients that submit, and a probe, from the moment Redis falls silent until it speaks again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = threading.Event()
        self.answers: list[httpx2.Response] = []
        self.probes: list[float] = []

    def submit(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=10) as http:
            while not self.over.is_set():
                headers = {"Idempotency-Key": f"k{next(_numbers)}"}
                self.answers.append(http.post("/v1/jobs", json={"task": "add", "args": [1]}, headers=headers))

    def probe(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=10) as http:
            while not self.over.wait(0.02):
                answer = http.get("/livez")
                assert answer.status_code == 200
                self.probes.append(answer.elapsed.total_seconds())


def test_a_silent_redis_is_told_in_time_and_back_soon(tmp_path: Path, silent: RedisServer, shared_database: str, full: bool) -> None:
    with Replica(tmp_path, silent.url, shared_database) as api:
        until(api.is_ready, 5)
        assert api.submit({"task": "add", "args": [1]}).status_code == 202
        watch = Watch(api.url)
        silent.pause()
        with ThreadPoolExecutor(CLIENTS + 1) as pool:
            probe = pool.submit(watch.probe)
            clients = [pool.submit(watch.submit) for _ in range(CLIENTS)]
            holds(lambda: not probe.done(), 10 if full else 2, "the probe is answered")
            watch.over.set()
            for one in (probe, *clients):
                one.result()
        silent.resume()
        begun = time.monotonic()
        until(lambda: api.submit({"task": "add", "args": [1]}).status_code == 202, 3, "it is taken again")
        back_s = time.monotonic() - begun
    slowest = percentile([answer.elapsed.total_seconds() for answer in watch.answers], 0.99)
    noticed = percentile(watch.probes, 0.99)
    print(
        f"{len(watch.answers)} submissions, p99 {slowest:.3f} s; /livez p99 {noticed * 1000:.1f} ms, most {max(watch.probes) * 1000:.1f} ms"
    )
    print(f"back after {back_s:.3f} s")
    assert {answer.status_code for answer in watch.answers} == {503}
    assert {answer.json()["code"] for answer in watch.answers} <= {"outcome_unknown", "redis_unavailable"}
    assert slowest < within(1.2)
    assert noticed < (0.05 if full else NOTICED_S)


def test_an_unknown_task_is_not_looked_for_one_by_one_in_a_silent_redis(tmp_path: Path, silent: RedisServer, shared_database: str) -> None:
    with Replica(tmp_path, silent.url, shared_database) as api:
        until(api.is_ready, 5)
        silent.pause()
        with ThreadPoolExecutor(CLIENTS) as pool:
            answers = list(pool.map(api.submit, [{"task": "not known"}] * CLIENTS))
        silent.resume()
    assert {answer.json()["code"] for answer in answers} == {"redis_unavailable"}
    assert max(answer.elapsed.total_seconds() for answer in answers) < within(3)
