"""Redis and the database away, stopped, full, busy: told apart as rule 9 does, each answer in time, nothing sent twice."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from millpond import keys
from millpond.store import open_store
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.pace import within
from tests.processes import children
from tests.proxy import RedisProxy
from tests.servers import PostgresServer, RedisServer
from tests.until import until

BODY = {"task": "add", "args": [1]}


@pytest.fixture(scope="module")
def redis_own(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis that a test may stop or kill, and brings back."""
    with RedisServer(server_folder / "outages") as server:
        yield server


@pytest.fixture(scope="module")
def own_replica(server_folder: Path, redis_own: RedisServer, shared_database: str) -> Iterator[Replica]:
    """A replica on it."""
    with Replica(server_folder, redis_own.url, shared_database) as replica:
        yield replica


@pytest.fixture
def own(redis_own: RedisServer, own_replica: Replica) -> Replica:
    """That replica on an empty Redis with a catalogue, warm."""
    redis_own.client().flushall()
    Hand(redis_own.url).offer()
    until(own_replica.is_ready, 5)
    assert own_replica.submit(BODY).status_code == 202
    return own_replica


def timed(call: httpx2.Response) -> float:
    return call.elapsed.total_seconds()


def test_rule_9_a_stopped_redis_holds_nobody_up(redis_own: RedisServer, own: Replica) -> None:
    open_before = redis_own.client().scard(keys.OPEN)
    id = own.submit(BODY, idempotency_key="before").json()["id"]
    redis_own.pause()
    with ThreadPoolExecutor(24) as pool:
        submits = [pool.submit(own.submit, BODY, idempotency_key=f"k{number}") for number in range(16)]
        reads = [pool.submit(own.http.get, path) for path in (f"/v1/jobs/{id}", "/v1/queues", "/v1/workers", "/v1/jobs?status=queued")]
        moves = [pool.submit(own.http.post, path) for path in (f"/v1/jobs/{id}/cancel", "/v1/queues/default/pause")]
        probe = own.http.get("/livez")
        assert (probe.status_code, timed(probe) < 0.8) == (200, True)
        answers = [one.result() for one in submits]
        others = [one.result() for one in reads + moves]
    codes = {answer.json()["code"] for answer in answers}
    print("submit:", sorted(answer.json()["code"] for answer in answers), f"slowest {max(map(timed, answers + others)):.2f} s")
    assert {answer.status_code for answer in answers + others} == {503}
    assert codes <= {"outcome_unknown", "redis_unavailable"}
    assert {answer.json()["code"] for answer in others} <= {"outcome_unknown", "redis_unavailable"}
    assert all(answer.headers["Retry-After"] for answer in answers + others)
    assert max(map(timed, answers + others)) < within(1.2)
    assert own.http.get("/readyz").status_code == 503
    redis_own.resume()
    until(own.is_ready, 5)
    assert {own.submit(BODY, idempotency_key=f"k{number}").status_code for number in range(16)} <= {200, 202}
    assert redis_own.client().scard(keys.OPEN) == open_before + 17


def test_rule_9_a_killed_redis_is_told_as_not_done_and_comes_back(redis_own: RedisServer, own: Replica) -> None:
    id = own.submit(BODY, idempotency_key="k").json()["id"]
    redis_own.kill()
    answer = own.submit(BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
    assert timed(answer) < within(1.2)
    assert own.http.get(f"/v1/jobs/{id}").json()["code"] == "redis_unavailable"
    assert own.http.get("/livez").status_code == 200
    redis_own.start()
    until(own.is_ready, 5)
    assert own.job(id)["status"] == "queued"
    assert own.submit(BODY, idempotency_key="k").json()["id"] == id
    assert len(own.events("redis_lost")) == len(own.events("redis_back")) > 0


def test_a_short_restart_of_redis_is_waited_for(redis_own: RedisServer, own: Replica) -> None:
    redis_own.kill()
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(own.submit, BODY)
        redis_own.start()
        assert call.result().status_code in (202, 503)
    until(lambda: own.submit(BODY).status_code == 202, 5)


def test_starts_without_redis_and_is_ready_once_it_comes(redis_own: RedisServer, shared_database: str, tmp_path: Path) -> None:
    redis_own.client().flushall()
    redis_own.kill()
    with Replica(tmp_path, redis_own.url, shared_database) as api:
        assert api.http.get("/livez").status_code == 200
        answer = api.http.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
        assert api.submit(BODY).json()["code"] == "redis_unavailable"
        redis_own.start()
        until(api.is_ready, 5)
        assert api.submit(BODY).json()["code"] == "no_catalogue"
        Hand(redis_own.url).offer()
        assert api.submit(BODY).status_code == 202, "the first catalogue is known at once"


def test_rule_9_a_busy_redis_has_not_done_it_and_is_asked_again(redis_own: RedisServer, own: Replica) -> None:
    client = redis_own.client()
    client.config_set("busy-reply-threshold", 50)
    opened = client.scard(keys.OPEN)
    busy = threading.Thread(target=_keep_busy, args=(redis_own, 0.5))
    busy.start()
    until(lambda: _is_busy(redis_own), 3)
    answer = own.submit(BODY)
    busy.join(5)
    assert answer.status_code == 202, answer.text
    assert client.scard(keys.OPEN) == opened + 1


def _keep_busy(server: RedisServer, seconds: float) -> None:
    script = "local t = redis.call('TIME') local e = t[1] * 1000000 + t[2] + ARGV[1] repeat t = redis.call('TIME') until false"
    with server.client() as client:
        timer = threading.Timer(seconds, lambda: server.client().script_kill())
        timer.start()
        with pytest.raises(Exception, match="killed"):
            client.eval(script, 0, int(seconds * 1e6))
        timer.join()


def _is_busy(server: RedisServer) -> bool:
    with server.client() as client:
        try:
            client.ping()
        except Exception as error:
            return "BUSY" in str(error)
    return False


def test_forgotten_scripts_are_sent_again(redis_own: RedisServer, own: Replica) -> None:
    id = own.submit(BODY).json()["id"]
    redis_own.client().script_flush()
    assert own.submit(BODY).status_code == 202
    redis_own.client().script_flush()
    assert own.job(id)["id"] == id


def test_rule_9_a_lost_reply_is_told_as_unknown_and_never_sent_again(proxied: Replica, proxy: RedisProxy, hand: Hand) -> None:
    for mode in ("close", "silent"):
        opened, sent = hand.client.scard(keys.OPEN), proxy.counts["submit"]
        lost = proxy.swallow("submit", mode=mode)
        answer = proxied.submit(BODY, idempotency_key=mode)
        assert (answer.status_code, answer.json()["code"], lost.dropped) == (503, "outcome_unknown", 1)
        assert timed(answer) < within(1.2)
        assert (hand.client.scard(keys.OPEN), proxy.counts["submit"]) == (opened + 1, sent + 1)
        again = proxied.submit(BODY, idempotency_key=mode)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
        assert hand.client.scard(keys.OPEN) == opened + 1


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_rule_9_moves_of_unknown_fate_are_not_sent_again(proxied: Replica, proxy: RedisProxy, hand: Hand, verb: str) -> None:
    first, id = (proxied.submit(BODY).json()["id"] for _ in range(2))
    if verb == "retry":
        hand.fail(*hand.begin(2))
    assert proxied.http.post(f"/v1/jobs/{first}/{verb}").status_code == 200  # Redis knows the script now
    sent = proxy.counts[verb]
    proxy.swallow(verb, mode="silent")
    answer = proxied.http.post(f"/v1/jobs/{id}/{verb}")
    assert (answer.status_code, answer.json()["code"], proxy.counts[verb]) == (503, "outcome_unknown", sent + 1)
    assert proxied.job(id)["status"] == ("canceled" if verb == "cancel" else "queued")


def test_a_lost_read_is_only_not_answered(proxied: Replica, proxy: RedisProxy) -> None:
    id = proxied.submit(BODY).json()["id"]
    assert proxied.job(id)["id"] == id
    proxy.swallow("listen", mode="silent")
    answer = proxied.http.get(f"/v1/jobs/{id}")
    assert (answer.status_code, answer.json()["code"]) == (503, "redis_unavailable")
    assert proxied.job(id)["id"] == id


def test_a_full_redis_refuses_what_is_new_and_lets_go_what_is_there(redis_own: RedisServer, own: Replica) -> None:
    id = own.submit(BODY).json()["id"]
    client = redis_own.client()
    client.config_set("maxmemory", "1mb")
    answer = own.submit(BODY)
    assert (answer.status_code, answer.json()["code"]) == (503, "redis_full")
    assert own.job(id)["status"] == "queued"
    assert own.http.post(f"/v1/jobs/{id}/cancel").status_code == 200
    client.config_set("maxmemory", "0")
    assert own.submit(BODY).status_code == 202


def test_a_broken_queue_is_its_own_fault_alone(api: Replica, hand: Hand) -> None:
    hand.client.set(keys.queue("broken"), "text")
    answer = api.submit({**BODY, "queue": "broken"})
    assert (answer.status_code, answer.json()["code"]) == (503, "broken_key")
    assert api.submit(BODY).status_code == 202
    assert api.http.get("/v1/queues").status_code == 200
    assert api.http.get("/v1/jobs?status=queued").status_code == 200


def test_without_the_database_open_jobs_are_read(hand: Hand, redis_url: str, tmp_path: Path, server_folder: Path) -> None:
    with PostgresServer(server_folder / "away") as postgres:
        url = postgres.fresh_database()
        store = open_store(url)
        store.upgrade()
        with Replica(tmp_path, redis_url, url) as api:
            recorded = api.submit(BODY).json()["id"]
            hand.finish(*hand.begin(), result=1)
            hand.collect(store)
            hand.forget(recorded)
            store.close()
            assert api.job(recorded)["result"] == 1
            postgres.stop()
            opened = api.submit(BODY).json()["id"]
            assert api.job(opened)["status"] == "queued"
            assert api.http.get("/v1/jobs?status=queued").json()["jobs"][0]["id"] == opened
            assert api.http.post(f"/v1/jobs/{opened}/cancel").status_code == 200
            for path in (f"/v1/jobs/{recorded}", "/v1/jobs", "/v1/jobs/nothing"):
                answer = api.http.get(path)
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable"), path
                assert timed(answer) < within(3.2)
            assert api.is_ready()
            assert str(postgres.port) not in answer.text
            postgres.start()
            until(lambda: api.http.get("/v1/jobs").status_code == 200, 10)
            assert api.job(recorded)["result"] == 1
            assert (len(api.events("database_lost")), len(api.events("database_back"))) == (1, 1)


def test_a_stopped_database_holds_nobody_up(hand: Hand, redis_url: str, tmp_path: Path, server_folder: Path) -> None:
    with PostgresServer(server_folder / "stopped") as postgres:
        url = postgres.fresh_database()
        store = open_store(url)
        store.upgrade()
        store.close()
        with Replica(tmp_path, redis_url, url) as api:
            assert api.http.get("/v1/jobs").json()["jobs"] == []
            backends = [postgres.pid, *children(postgres.pid)]
            for pid in backends:
                os.kill(pid, signal.SIGSTOP)
            try:
                begun = time.monotonic()
                with ThreadPoolExecutor(12) as pool:
                    answers = [one.result() for one in [pool.submit(api.http.get, "/v1/jobs") for _ in range(12)]]
                assert {answer.json()["code"] for answer in answers} == {"database_unavailable"}
                assert time.monotonic() - begun < within(3.2)
                assert api.submit(BODY).status_code == 202
            finally:
                for pid in backends:
                    os.kill(pid, signal.SIGCONT)
            until(lambda: api.http.get("/v1/jobs").status_code == 200, 15)
