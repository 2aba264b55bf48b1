"""Rule 9. A call was done, was not done, or nobody knows; we never send again what must not be done twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from millpond import broker, keys, moves
from millpond.errors import NotDone, OutcomeUnknown
from tests.millpond.scripts.pond import Pond, submission
from tests.processes import ROOT, free_port
from tests.proxy import RedisProxy
from tests.servers import RedisServer


@pytest.fixture
def proxy(pond: Pond, quick_server: RedisServer) -> Iterator[RedisProxy]:
    with RedisProxy(quick_server.port) as proxy:
        yield proxy


@pytest.mark.parametrize("words", ["LOADING x", "BUSY x", "READONLY x", "MASTERDOWN x", "OOM x", "NOSCRIPT x"])
def test_what_redis_refused_is_not_done(words: str) -> None:
    assert broker.refused(redis.exceptions.ResponseError(words))


def test_a_refused_connection_is_not_done() -> None:
    with broker.connect(f"redis://127.0.0.1:{free_port()}") as client, pytest.raises(NotDone):
        broker.run(client, moves.tick())


def test_a_full_redis_has_not_done_it(pond: Pond) -> None:
    pond.ask("CONFIG", "SET", "maxmemory", "1mb")
    try:
        with pytest.raises(NotDone):
            pond.submit()
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", "0")
    assert pond.dump() == {}


@pytest.mark.parametrize("mode", ["close", "silent"])
@pytest.mark.parametrize("move", ["submit", "cancel", "retry"])
def test_a_lost_reply_is_unknown_and_sent_once(pond: Pond, proxy: RedisProxy, move: str, mode: str) -> None:
    (id,) = pond.submit()
    calls: dict[str, moves.Call[object]] = {
        "submit": moves.submit([submission()], 24),  # type: ignore[dict-item]
        "cancel": moves.cancel(id),  # type: ignore[dict-item]
        "retry": moves.retry(id),  # type: ignore[dict-item]
    }
    pond.run(calls[move]) if move != "submit" else pond.run(moves.submit([], 24))  # so that Redis knows the script
    with broker.connect(proxy.url) as client:
        proxy.swallow(move, 5, mode=mode)  # type: ignore[arg-type]
        with pytest.raises(OutcomeUnknown):
            broker.run(client, calls[move])
    assert proxy.counts[move] == 1


def test_what_was_unknown_was_done(pond: Pond, proxy: RedisProxy) -> None:
    pond.run(moves.submit([], 24))
    proxy.swallow("submit", 1, mode="close")
    with broker.connect(proxy.url) as client, pytest.raises(OutcomeUnknown):
        broker.run(client, moves.submit([submission()], 24))
    assert len(pond.open()) == 1


def test_forgotten_scripts_are_loaded_by_the_call(pond: Pond) -> None:
    pond.ask("SCRIPT", "FLUSH")
    assert len(pond.submit()) == 1


def test_a_finish_sent_again_is_answered_done_and_counts_once(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.work()
    assert [child.end(job) for _ in range(3)] == ["done"] * 3
    assert pond.kinds(id) == ["accepted", "ended"]
    assert pond.ask("HGET", "rq:worker:w1", "successful_job_count") == b"1"


def test_no_client_of_ours_tries_again_by_itself(pond: Pond, proxy: RedisProxy) -> None:
    with broker.connect(proxy.url) as client:
        proxy.swallow("get", 5, mode="close")
        with pytest.raises(redis.exceptions.ConnectionError):
            client.get(keys.TICK)
    assert proxy.counts["get"] == 1


@pytest.mark.parametrize("file", sorted(Path(ROOT / "ops" / "haproxy").glob("*.cfg")), ids=lambda file: file.name)
def test_haproxy_tries_only_failed_connections_again(file: Path) -> None:
    rules = [line.split() for line in file.read_text().splitlines() if line.split()[:1] == ["retry-on"]]
    assert rules == [["retry-on", "conn-failure"]] * len(rules)
    assert rules
