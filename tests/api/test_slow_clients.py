"""Hundreds of clients that send by drips, or read nothing: each is cut in its time, and nobody else feels them."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.api.hand import Hand
from tests.api.raw import whole
from tests.api.replica import Replica
from tests.api.test_fuzz import memory_mb
from tests.pace import within
from tests.processes import Process
from tests.until import until

WARM = 500  # submissions, until a replica has what it needs once


def p99(seconds: list[float]) -> float:
    """The hundredth part that waited longest waited at least so long."""
    return sorted(seconds)[len(seconds) * 99 // 100]


class Others:
    """A client as it should be, that measures."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def submit(self) -> float:
        """How long one submission took; it must be accepted."""
        began = time.monotonic()
        self._connection.sendall(whole())
        said = self._connection.recv(65536)
        assert said.startswith(b"HTTP/1.1 202"), said
        return time.monotonic() - began


@pytest.fixture
def others(patient: Replica) -> Iterator[Others]:
    with patient.connect() as connection:
        yield Others(connection)


@pytest.fixture
def patient(server_folder: Path, hand: Hand, shared_replica: Replica, shared_database: str, full: bool) -> Iterator[Replica]:
    """A replica with the limits that it has by default, or shorter ones."""
    limits = {} if full else {"header_timeout_s": 2, "body_timeout_s": 2}
    with Replica(server_folder, shared_replica.env["MILLPOND_REDIS_URL"], shared_database, **limits) as replica:
        until(replica.is_ready, 5)
        yield replica


class Slow(Process):
    """tests/api/slow.py."""

    def __init__(self, port: int, count: int, folder: Path) -> None:
        log = folder / "slow.log"
        log.unlink(missing_ok=True)
        super().__init__([sys.executable, "-m", "tests.api.slow", str(port), str(count)], log)

    def ready(self) -> bool:
        return self.output().startswith("here")

    def said(self) -> Any:
        """What it says at last."""
        return json.loads(self.output().splitlines()[1])


@dataclass(frozen=True, slots=True)
class Round:
    """How long submissions took without the slow clients and beside them, how long each of these lasted, and how many were told 408."""

    alone: list[float]
    beside: list[float]
    lasted: list[float]
    told: int
    memory_mb: float


def round_of(replica: Replica, others: Others, folder: Path, count: int) -> Round:
    """As many seconds without them as with them: what else this machine does falls on both."""
    with Slow(replica.port, count, folder) as slow:
        began, beside = time.monotonic(), []
        while slow.alive:
            beside.append(others.submit())
        ended, alone = time.monotonic(), []
        while time.monotonic() < 2 * ended - began:
            alone.append(others.submit())
        said = slow.said()
    return Round(alone, beside, said["lasted"], said["told"], memory_mb(replica))


@pytest.mark.timeout(300)
def test_slow_senders_are_cut_in_time_and_hurt_nobody(patient: Replica, others: Others, tmp_path: Path, full: bool) -> None:
    limit_s, count, rounds = (10, 500, 5) if full else (2, 150, 1)
    for _ in range(WARM):
        others.submit()
    before = memory_mb(patient)
    seen = [round_of(patient, others, tmp_path, count) for _ in range(rounds)]
    for one in seen:
        span = f"{min(one.lasted):.1f} to {max(one.lasted):.1f} s"
        times = f"{1000 * p99(one.alone):.1f} -> {1000 * p99(one.beside):.1f} ms of {len(one.alone)} and {len(one.beside)}"
        print(f"{count} slow senders lasted {span}; others' p99 {times}; {one.memory_mb - before:+.1f} MB")
        assert (len(one.lasted), one.told) == (count, count)
        assert max(one.lasted) < within(limit_s)
    ratio = median(p99(one.beside) / p99(one.alone) for one in seen)
    print(f"others' p99 beside them is {ratio:.2f} of that without them")
    assert ratio < within(2)
    assert seen[-1].memory_mb - before < 20


def test_who_takes_no_answers_is_dropped_and_hurts_nobody(patient: Replica, others: Others, hand: Hand, full: bool) -> None:
    others.submit()
    (job,) = hand.begin(1)
    hand.finish(job, result="x" * 1_000_000)
    id = job.id
    before, clients = memory_mb(patient), []
    for _ in range(200 if full else 100):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", patient.port))
        client.sendall(f"GET /v1/jobs/{id} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        clients.append(client)
    beside = [others.submit() for _ in range(200)]
    until(lambda: memory_mb(patient) - before < 100, 20, "what nobody takes is dropped")
    print(f"others' p99 beside {len(clients)} who read nothing: {1000 * p99(beside):.1f} ms")
    assert p99(beside) < (0.1 if full else 1)
    until(lambda: patient.http.get("/livez").status_code == 200 and not _held(patient), 30, "all are dropped")
    for client in clients:
        client.close()


def _held(replica: Replica) -> int:
    """Connections on which an answer waits to be taken."""
    port = f":{replica.port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(port) and row[3] == "01" and not row[4].startswith("00000000") for row in rows)
