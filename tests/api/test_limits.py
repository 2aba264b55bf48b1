"""Back-pressure: what each limit answers, what it says about when to come again, and that it is so."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from api.drain import drain
from api.limits import Load
from millpond import keys
from tests.api.flood import Flood, Mill
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.servers import RedisServer
from tests.until import until

QUEUE_JOBS, OWNER_JOBS = 300, 360
BODY = {"task": "echo", "args": ["x"]}
IANA = "https://iana.org/assignments/http-problem-types#"


@pytest.fixture(scope="module")
def redis_own(server_folder: Path) -> Iterator[RedisServer]:
    """A Redis whose maxmemory a test may set."""
    with RedisServer(server_folder / "limits") as server:
        yield server


@pytest.fixture(scope="module")
def limited(server_folder: Path, redis_own: RedisServer, shared_database: str) -> Iterator[Replica]:
    limits = {"queue_max_jobs": QUEUE_JOBS, "queue_max_bytes": 40_000_000, "owner_max_jobs": OWNER_JOBS}
    with Replica(server_folder, redis_own.url, shared_database, **limits) as replica:
        yield replica


@pytest.fixture
def pond(limited: Replica, redis_own: RedisServer) -> Iterator[Hand]:
    """A worker on that Redis, which is empty and has no maxmemory."""
    client = redis_own.client()
    client.flushall()
    hand = Hand(redis_own.url)
    hand.offer()
    until(limited.is_ready, 5)
    yield hand
    client.config_set("maxmemory", 0)


def retry_after(answer: httpx2.Response) -> int:
    return int(answer.headers["Retry-After"])


def slack(full: bool) -> int:
    """How far an estimate may be from what happened: on a machine that others share, the pace itself changes by half."""
    return 2 if full else 4


def test_every_answer_tells_what_is_left_of_the_quota(limited: Replica, pond: Hand) -> None:
    answer = limited.submit(BODY, idempotency_key="k")
    assert answer.headers["RateLimit-Policy"] == f'"open-jobs";q={OWNER_JOBS};qu="concurrent-requests"'
    assert answer.headers["RateLimit"] == f'"open-jobs";r={OWNER_JOBS - 1}'
    limited.submit(BODY)
    again = limited.submit(BODY, idempotency_key="k")
    assert (again.headers["Idempotency-Replayed"], again.headers["RateLimit"]) == ("true", f'"open-jobs";r={OWNER_JOBS - 2}')


def test_without_a_quota_there_are_no_such_headers(api: Replica) -> None:
    assert not [name for name in api.submit(BODY).headers if name.lower().startswith("ratelimit")]


def test_a_full_owner_is_refused_with_429_and_its_known_keys_are_not(limited: Replica, pond: Hand) -> None:
    known = limited.submit(BODY, idempotency_key="known").json()["id"]
    pond.client.hset(keys.OWNERS, "public", OWNER_JOBS)
    answer = limited.submit(BODY)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["type"]) == (429, "owner_quota", IANA + "quota-exceeded")
    assert (problem["status"], problem["violated-policies"]) == (429, ["open-jobs"])
    assert (problem["queue_depth"], problem["estimated_wait_s"]) == (1, None)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["RateLimit"] == '"open-jobs";r=0;t=30', "nothing drains: nobody knows when"
    assert 30 <= retry_after(answer) <= 36
    again = limited.submit(BODY, idempotency_key="known")
    assert (again.status_code, again.json()["id"]) == (202, known)
    pond.client.hset(keys.OWNERS, "public", 1)
    assert limited.submit(BODY).status_code == 202


def test_a_full_queue_is_refused_with_503_and_others_are_not(limited: Replica, pond: Hand) -> None:
    pond.client.rpush(keys.queue("other"), *range(QUEUE_JOBS))
    answer = limited.submit({**BODY, "queue": "other"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["type"]) == (503, "queue_full", IANA + "temporary-reduced-capacity")
    assert problem["violated-policies"] == ["queue-jobs"]
    assert "RateLimit" not in answer.headers
    assert limited.submit(BODY).status_code == 202
    pond.client.hset(keys.BYTES, "default", 40_000_000)
    pond.begin()
    assert limited.submit(BODY).json()["violated-policies"] == ["queue-bytes"]


def test_under_a_flood_a_queue_stays_within_its_limit_and_tells_the_truth(limited: Replica, pond: Hand, full: bool) -> None:
    with Flood(limited.url, BODY) as flood, Mill(pond, 10, records=True) as mill:
        until(lambda: mill.ended > 40 and flood.refusals, 15, "the queue is full and drains")
        answer, begun, ended = flood.refusal(), time.monotonic(), mill.ended
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (503, "queue_full")
        assert pond.client.llen(keys.queue("default")) <= QUEUE_JOBS
        until(lambda: mill.ended - ended >= QUEUE_JOBS / 10, 20, "a tenth of it is worked off, flood or not")
        took_s = time.monotonic() - begun
        pace = (mill.ended - ended) / took_s
    said_s, wait_s = problem["estimated_wait_s"], problem["queue_depth"] / pace
    print(f"Retry-After {retry_after(answer)}, took {took_s:.2f} s; estimated wait {said_s}, at this pace {wait_s:.1f} s")
    assert took_s / slack(full) <= retry_after(answer) <= slack(full) * took_s
    assert wait_s / slack(full) <= said_s <= slack(full) * wait_s
    with Mill(pond, 400, records=True):
        until(lambda: limited.submit(BODY).status_code == 202, 10, "it opens again by itself")


def test_under_a_flood_an_owner_keeps_within_the_quota_and_is_told_the_truth(limited: Replica, pond: Hand, full: bool) -> None:
    pond.client.sadd(keys.OPEN, *(f"elsewhere-{number}" for number in range(160)))
    pond.client.hset(keys.OWNERS, "public", 160)  # of other queues
    with Flood(limited.url, BODY) as flood, Mill(pond, 10, records=True) as mill:
        until(lambda: mill.ended > 40 and flood.refusals, 15, "the quota is used up")
        answer, begun, ended = flood.refusal(), time.monotonic(), mill.ended
        assert (answer.status_code, answer.json()["code"]) == (429, "owner_quota")
        assert int(pond.client.hget(keys.OWNERS, "public") or 0) <= OWNER_JOBS
        until(lambda: mill.ended - ended >= OWNER_JOBS / 10, 20)
        took_s = time.monotonic() - begun
    print(f"Retry-After {retry_after(answer)}, {answer.headers['RateLimit']}, took {took_s:.2f} s")
    assert took_s / slack(full) <= retry_after(answer) <= slack(full) * took_s
    assert int(answer.headers["RateLimit"].rpartition("=")[2]) <= retry_after(answer), "the draft, section 6"
    with Mill(pond, 400, records=True):
        until(lambda: limited.submit(BODY).status_code == 202, 10, "it opens again by itself")


def test_under_a_flood_redis_stays_under_its_watermark_and_drains(limited: Replica, pond: Hand, full: bool) -> None:
    client = pond.client
    most = 12_000_000
    client.config_set("maxmemory", most)
    body = {"task": "echo", "args": ["x" * 60_000]}
    with Flood(limited.url, body) as flood:
        until(lambda: flood.refusals, 20, "Redis is full enough")
        answer = flood.refusal()
    assert (answer.status_code, answer.json()["code"], answer.json()["violated-policies"]) == (503, "redis_full", ["redis-memory"])
    assert 0.65 * most <= _used(client) < 0.9 * most, "refused by us, well before Redis would"
    assert set(flood.answered) == {202, 503}
    most = int(0.9 * most)
    client.config_set("maxmemory", most)  # what is in flight is memory too: with it, the flood stopped a little earlier
    until(lambda: limited.http.get("/v1/stats").json()["intake"]["reason"] == "redis_full", 5)
    with Flood(limited.url, body) as flood, Mill(pond, 10, records=True) as mill:
        until(lambda: mill.ended > 30, 15, "a worker keeps draining")
        refusal, begun, ended = flood.refusal(), time.monotonic(), mill.ended
        freed = (_used(client) - 0.9 * 0.7 * most) / 62_000
        until(lambda: mill.ended - ended >= freed, 20, "so many are worked off")
        took_s = time.monotonic() - begun
    print(f"Retry-After {retry_after(refusal)}, took {took_s:.2f} s")
    assert refusal.json()["code"] == "redis_full"
    assert took_s / slack(full) <= retry_after(refusal) <= slack(full) * took_s + 1
    with Mill(pond, 100, records=True):
        until(lambda: limited.submit(BODY).status_code == 202, 10, "it opens again by itself")


def _used(client: "object") -> int:
    told = client.info("memory")  # type: ignore[attr-defined]
    return int(told["used_memory"] - told["mem_not_counted_for_evict"])


def test_a_pace_follows_what_happens_of_late() -> None:
    counts = {str(at).encode(): b"10" for at in range(1000, 1060)}
    assert drain(counts, 1060.0).per_s == pytest.approx(10, 0.05)
    assert drain(counts, 1060.0).now_per_s == 10
    fresh = {b"1055": b"4", b"1057": b"3"}
    assert drain(fresh, 1059.0).now_per_s == 2
    assert drain({b"1001": b"1", b"1051": b"1"}, 1060.0).now_per_s == pytest.approx(2 / 58.5)
    assert drain({b"900": b"50"}, 1060.0) == drain(None, 1060.0) == drain({b"x": b"y"}, 1060.0)


def test_room_is_a_tenth_of_the_limit_and_at_least_one() -> None:
    assert Load(held=100, most=100, per_s=2).room_s == 5
    assert Load(held=150, most=100, per_s=2).room_s == 30
    assert Load(held=3, most=3, per_s=0.5).room_s == 2
    assert Load(held=3, most=3, per_s=0).room_s is None
