"""The read model on both databases: Redis while a job is open, the record after, never something older than was seen."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from millpond import keys, moves
from millpond.broker import run
from millpond.store import Store, open_store
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.servers import PostgresServer, RedisServer

BODY = {"task": "add", "args": [1]}
RANK = ["queued", "started", "finished"]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def record_url(request: pytest.FixtureRequest, server_folder: Path) -> str:
    """One record on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{server_folder}/lookup.db"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.fresh_database()


@pytest.fixture(scope="module")
def record(record_url: str) -> Iterator[Store]:
    """The record itself."""
    store = open_store(record_url)
    store.upgrade()
    yield store
    store.close()


@pytest.fixture(scope="module")
def replica(server_folder: Path, redis_server: RedisServer, record_url: str, record: Store) -> Iterator[Replica]:
    """A replica on it."""
    with Replica(server_folder, redis_server.url, record_url) as replica:
        yield replica


@pytest.fixture
def both(replica: Replica, hand: Hand) -> Replica:
    """That replica, with an empty Redis and a catalogue."""
    return replica


def test_each_step_is_read_where_it_is_true(both: Replica, hand: Hand, record: Store) -> None:
    id = both.submit(BODY).json()["id"]
    hand.collect(record)  # an open job's row: Redis has the word
    hand.begin()
    assert both.job(id)["status"] == "started"
    job = both.job(id)
    (held,) = [moves.Claimed(id, execution(hand, id), {})]
    hand.finish(held, result={"a": [1, None, "ü"]})
    ended = both.job(id)
    assert ended["version"] > job["version"]
    hand.collect(record)
    assert both.job(id) | {"recorded_at": None} == ended
    hand.forget(id)
    assert both.job(id) | {"recorded_at": None} == ended


def execution(hand: Hand, id: str) -> str:
    raw = hand.client.hget(keys.job(id), "execution")
    assert isinstance(raw, bytes)
    return raw.decode()


def test_a_job_that_both_know_is_told_by_the_newer(both: Replica, hand: Hand, record: Store) -> None:
    id = both.submit(BODY).json()["id"]
    hand.fail(*hand.begin())
    hand.collect(record)
    assert both.job(id)["error"]["message"] == "ValueError: no"  # the hash is there without its outcome: the record has it
    # RQ's own requeue: the hash is newer than the record, and no script of ours has run.
    hand.client.hset(keys.job(id), mapping={"version": 99, "state": "queued", "status": "queued"})
    assert both.job(id)["status"] == "queued"


def test_a_job_of_stock_rq_is_read_before_anybody_adopted_it(both: Replica, hand: Hand) -> None:
    hash = {"status": "queued", "origin": "default", "data": '["add",null,[1],{}]', "created_at": "2026-01-31T12:00:00.000000Z"}
    hand.client.hset(keys.job("stock-1"), mapping=hash)  # type: ignore[arg-type]  # redis-py's types want bytes keys
    job = both.job("stock-1")
    assert (job["status"], job["task"], job["args"], job["created_at"]) == ("queued", "add", [1], "2026-01-31T12:00:00.000Z")


def test_a_hash_that_nobody_can_read_is_not_a_500(both: Replica, hand: Hand) -> None:
    hand.client.hset(keys.job("corrupt"), mapping={"state": "nonsense"})
    hand.client.set(keys.job("text"), "text")
    for id in ("corrupt", "text"):
        assert both.http.get(f"/v1/jobs/{id}").status_code == 404
        for verb in ("cancel", "retry"):
            answer = both.http.post(f"/v1/jobs/{id}/{verb}")
            assert (answer.status_code, answer.json()["code"]) in [(503, "broken_key"), (404, "not_found")]
    assert not both.events("request_failed")


def test_what_was_seen_is_never_followed_by_something_older(both: Replica, hand: Hand, record: Store) -> None:
    for _ in range(5):
        id = both.submit(BODY).json()["id"]
        over = threading.Event()
        seen: list[tuple[int, str, object]] = []

        def look(id: str = id, over: threading.Event = over, seen: list[tuple[int, str, object]] = seen) -> None:
            while not over.is_set():
                job = both.job(id)
                seen.append((RANK.index(job["status"]), job["status"], job["result"]))

        reader = threading.Thread(target=look)
        reader.start()
        held = hand.begin()
        hand.finish(*held, result="kept")
        hand.collect(record)
        hand.forget(id)
        over.set()
        reader.join(5)
        assert seen == sorted(seen, key=lambda one: one[0])
        assert all(result == "kept" for _, status, result in seen if status == "finished")


def test_lists_are_the_record_with_the_live_state_over_it(both: Replica, hand: Hand, record: Store) -> None:
    ids = [both.submit({**BODY, "tags": {"for": "overlay"}}).json()["id"] for _ in range(3)]
    hand.collect(record)
    held = hand.begin(2)
    hand.finish(held[0], result=1)
    listed = both.http.get("/v1/jobs?tag.for=overlay").json()["jobs"]
    assert {job["id"]: job["status"] for job in listed} == dict(zip(ids, ["finished", "started", "queued"], strict=True))
    # By status the record decides, which does not know yet.
    query = "/v1/jobs?tag.for=overlay&status=finished"
    assert both.http.get(query).json()["jobs"] == []
    hand.collect(record, ids[0])
    assert [job["result"] for job in both.http.get(query).json()["jobs"]] == [1]


def test_filters_mean_the_same_in_redis_and_in_the_record(both: Replica, hand: Hand, record: Store) -> None:
    made = [
        both.submit({"task": task, "args": args, "queue": queue, "tags": tags}).json()
        for task, args, queue, tags in [
            ("add", [1], "default", {"for": "filters", "who": "a"}),
            ("add", [2], "other", {"for": "filters", "who": "b", "what": "x"}),
            ("sleep", [3], "other", {"for": "filters", "who": "b"}),
        ]
    ]
    hand.collect(record)
    numbers = {job["id"]: number for number, job in enumerate(made)}
    query = {
        "task=add": {0, 1},
        "queue=other": {1, 2},
        "tag.who=b": {1, 2},
        "tag.who=b&tag.what=x": {1},
        "tag.who=nobody": set(),
        "q=SLEE": {2},
        f"q={made[0]['id']}": {0},
        f"since={made[1]['created_at']}": {1, 2},
        f"until={made[1]['created_at']}&q=add": {0},
        "since=2999-01-01T00:00:00%2B02:00": set(),
    }
    for (words, expected), status in itertools.product(query.items(), ("", "queued")):
        answer = both.http.get(f"/v1/jobs?tag.for=filters&status={status}&{words}")
        assert answer.status_code == 200, answer.text
        assert {numbers[job["id"]] for job in answer.json()["jobs"]} == expected, words


def test_a_move_that_unknown_things_refuse(both: Replica, hand: Hand) -> None:
    assert run(hand.client, moves.cancel("nothing")).answer == "gone"
    assert both.http.post("/v1/jobs/nothing/cancel").status_code == 404
