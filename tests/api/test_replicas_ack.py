"""MILLPOND_REPLICAS_ACK: a 202 says that so many replicas have the job on disk, and what is said where they have not."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from millpond import keys
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.servers import RedisServer
from tests.until import until

BODY = {"task": "add", "args": [1]}


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "primary") as server:
        Hand(server.url).offer()
        yield server


@pytest.fixture
def follower(tmp_path: Path, primary: RedisServer) -> Iterator[RedisServer]:
    """A replica of it, with a log of its own; not started yet."""
    server = RedisServer(tmp_path / "follower", "--replicaof", "127.0.0.1", str(primary.port), "--repl-diskless-sync-delay", "0")
    yield server
    server.close()


@pytest.fixture
def api(tmp_path: Path, primary: RedisServer, shared_database: str) -> Iterator[Replica]:
    with Replica(tmp_path, primary.url, shared_database, replicas_ack=1) as api:
        yield api


def accepted(api: Replica, key: str) -> httpx2.Response:
    """The answer to a submission that is repeated until it is 202."""
    answers: list[httpx2.Response] = []

    def submit() -> bool:
        answers.append(api.submit(BODY, idempotency_key=key))
        return answers[-1].status_code == 202

    until(submit, 15, "it is accepted")
    return answers[-1]


def test_a_202_waits_for_the_replicas_and_nothing_less_is_promised(api: Replica, primary: RedisServer, follower: RedisServer) -> None:
    for answer in (api.http.get("/readyz"), api.submit(BODY)):
        assert (answer.status_code, answer.json()["code"]) == (503, "replicas_missing")
    assert primary.client().scard(keys.OPEN) == 0, "what nobody could confirm is not begun"
    follower.start()
    until(api.is_ready, 10, "a replica follows")
    first = accepted(api, "first").json()["id"]
    assert follower.client().exists(keys.job(first)), "it has the job before the answer left"
    primary.client().script_flush()
    assert api.submit(BODY).status_code == 202, "also when the script had to be sent again"

    follower.pause()
    opened = primary.client().scard(keys.OPEN)
    for _ in range(2):  # the second is a replay, which writes nothing that a replica could lack
        answer = api.submit(BODY, idempotency_key="second")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_replicated")
        assert answer.headers["Retry-After"]
    assert primary.client().scard(keys.OPEN) == opened + 1, "the job is there, once"
    follower.resume()
    again = accepted(api, "second")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert follower.client().exists(keys.job(again.json()["id"]))
