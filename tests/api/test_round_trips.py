"""Counted at a proxy before Redis: what a submission costs (DESIGN, must-show 12)."""

from contextlib import ExitStack
from typing import BinaryIO

from millpond import keys
from tests.api.hand import Hand
from tests.api.raw import whole
from tests.api.replica import Replica
from tests.proxy import RedisProxy


def test_one_submission_alone_is_one_round_trip(proxy: RedisProxy, proxied: Replica) -> None:
    before, connections = proxy.turns["submit"], proxy.accepted
    for number in range(20):
        assert proxied.submit({"task": "add", "args": [number]}).status_code == 202
    assert proxy.turns["submit"] - before == proxy.counts["submit"] - before == 20
    assert proxy.accepted == connections


def test_64_submissions_at_once_share_their_round_trips(proxy: RedisProxy, proxied: Replica, hand: Hand) -> None:
    turns_of_each, clients = 20, 64
    request = whole()
    with ExitStack() as stack:
        connections = [stack.enter_context(proxied.connect()) for _ in range(clients)]
        readers = [stack.enter_context(one.makefile("rb")) for one in connections]
        proxied.submit({"task": "add", "args": [0]})
        before, accepted = proxy.turns["submit"], proxy.accepted
        for _ in range(turns_of_each):
            for connection in connections:
                connection.sendall(request)
            for reader in readers:
                assert _answered(reader) == 202
    jobs = hand.client.llen(keys.queue("default")) - 1
    turns = proxy.turns["submit"] - before
    print(f"{turns} round trips for {jobs} jobs of {clients} clients: {turns / jobs:.3f} a job")
    assert jobs == clients * turns_of_each
    assert turns <= 0.1 * jobs
    assert proxy.accepted - accepted <= 1, "the lane's second connection, and no other"


def _answered(reader: BinaryIO) -> int:
    status = int(reader.readline().split()[1])
    lengths = [int(line.split(b":")[1]) for line in iter(reader.readline, b"\r\n") if line.lower().startswith(b"content-length")]
    reader.read(lengths[0])
    return status


def test_reading_a_job_is_one_round_trip(proxy: RedisProxy, proxied: Replica) -> None:
    id = proxied.submit({"task": "add", "args": [1]}).json()["id"]
    proxied.job(id)
    before = proxy.turns["listen"]
    for _ in range(10):
        proxied.job(id)
    assert proxy.turns["listen"] - before == 10
