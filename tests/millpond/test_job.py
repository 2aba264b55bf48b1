"""A job reads the same from every hash that Millpond or RQ writes, and goes back to Redis as it came."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from rq import Queue
from rq.serializers import JSONSerializer

from millpond import broker, codec, moves
from millpond.catalogue import Entry
from millpond.errors import Conflict, Undecodable
from millpond.job import Job, Overrides, new_id, submission_fields, timeout_s, to_submission
from millpond.retry import RetryPolicy
from millpond.states import State
from millpond.task import Task

ENTRY = Entry.of(Task(name="resize", function=lambda path, width=100: None, timeout_s=2.5, max_attempts=3, backoff_s=0.5, rerun="never"))
PLAIN = Entry.of(Task(name="plain", function=lambda: None))
OUTCOME: dict[str, Any] = {"status": "finished", "code": "", "worker": "w", "execution": "x", "started_ms": 1, "ended_ms": 2}


def submit(client: redis.Redis, entry: Entry = ENTRY, overrides: Overrides | None = None, **options: Any) -> Job:
    id = new_id()
    data = codec.encode_payload(entry.name, ["a.png"], {"width": 7})
    fields = submission_fields(entry, overrides or Overrides())
    (answer,) = broker.run(client, moves.submit([moves.Submission(id, "images", data, fields, **options)], 24))
    assert answer.answer == "accepted"
    return Job.from_hash(id, stored(client, id))


def stored(client: redis.Redis, id: str) -> dict[str, bytes]:
    return broker.run(client, moves.listen(id))[1]


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return broker.connect(redis_url)


def test_ids_sort_by_time() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert all(len(id) == 32 and set(id) <= set("0123456789abcdef") for id in ids)


def test_a_submitted_job(client: redis.Redis) -> None:
    job = submit(client, overrides=Overrides(tags={"a": "\u00fc"}, jitter=0.5))
    assert (job.task, job.queue, job.status, job.owner, job.version, job.run, job.attempt) == (
        "resize",
        "images",
        "queued",
        "public",
        1,
        1,
        0,
    )
    assert (job.args, job.kwargs, job.tags) == (["a.png"], {"width": 7}, {"a": "\u00fc"})
    assert (job.timeout_s, job.rerun) == (2.5, "never")
    assert job.retry == RetryPolicy(max_attempts=3, backoff_s=0.5, jitter=0.5)
    assert job.created_at == job.enqueued_at is not None
    assert not job.final


def test_a_scheduled_job(client: redis.Redis) -> None:
    job = submit(client, delay_ms=60_000, expires_in_ms=90_000)
    assert job.status == "scheduled"
    assert job.created_at is not None
    assert job.run_at is not None
    assert job.expires_at is not None
    assert (job.run_at - job.created_at).total_seconds() == 60
    assert (job.expires_at - job.created_at).total_seconds() == 90
    assert job.enqueued_at is None


def test_what_is_usual_takes_no_memory(client: redis.Redis) -> None:
    job = submit(client, PLAIN)
    ours = {"description", "timeout"}
    assert submission_fields(PLAIN, Overrides()).keys() == ours
    assert job.retry == RetryPolicy()
    assert job.timeout_s == 180


def test_a_submission_overrides_its_task() -> None:
    overrides = Overrides(owner="me", timeout_s=0.5, max_attempts=9, backoff_s=0, backoff_factor=3, max_backoff_s=4, jitter=0)
    fields = submission_fields(ENTRY, overrides)
    assert (fields["timeout"], fields["timeout_ms"], fields["owner"]) == (1, 500, "me")
    hash = {name: str(value).encode() for name, value in fields.items()}
    assert RetryPolicy.from_hash(hash) == RetryPolicy(max_attempts=9, backoff_s=0, backoff_factor=3, max_backoff_s=4, jitter=0)


def test_public_form(client: redis.Redis) -> None:
    document = orjson.loads(codec.render(submit(client).public()))
    assert set(document) == {
        *("id", "task", "queue", "status", "reason", "attempt", "failures", "max_attempts", "run", "version", "args", "kwargs", "tags"),
        *("owner", "timeout_s", "created_at", "enqueued_at", "started_at", "ended_at", "recorded_at", "run_at", "expires_at"),
        *("worker", "result", "error", "progress"),
    }
    assert document["created_at"].endswith("Z")
    assert (document["result"], document["error"]) == (None, None)


def ended(state: str, outcome: dict[str, Any] | None, **fields: bytes) -> Job:
    hash = {"state": state.encode(), "status": b"canceled" if state == "expired" else state.encode(), "version": b"4", "run": b"1"}
    hash |= {"data": b'["resize",null,[],{}]', "last": b"o:1:2"} | fields
    return Job.from_hash("a", hash | ({"o:1:2": orjson.dumps(outcome)} if outcome else {}))


def test_a_result_stays_the_text_it_is() -> None:
    job = ended("finished", OUTCOME | {"body": {"result": {"a": [1, 1.0, None]}}})
    assert job.result_json == b'{"a":[1,1.0,null]}'
    assert job.result == {"a": [1, 1.0, None]}
    assert b'"result":{"a":[1,1.0,null]}' in codec.render(job.public())
    assert job.final


def test_a_null_result_is_a_result() -> None:
    assert ended("finished", OUTCOME | {"body": {"result": None}}).result_json == b"null"
    assert ended("finished", None).result_json is None


def test_an_error() -> None:
    outcome = OUTCOME | {
        "status": "failed",
        "code": "worker_died",
        "body": {"error": {"code": "worker_died", "message": "Gone.", "traceback": ""}},
    }
    job = ended("failed", outcome, error_code=b"crashed")
    assert job.public()["error"] == {"code": "crashed", "message": "Gone.", "traceback": None}
    assert ended("failed", None, error_code=b"crashed").public()["error"] == {"code": "crashed", "message": None, "traceback": None}


def test_other_ends_have_a_reason_and_no_error() -> None:
    job = ended("expired", None, reason=b"expired")
    assert (job.status, job.reason, job.public()["error"]) == ("expired", "expired", None)


def test_an_unreadable_payload_does_not_hide_the_job() -> None:
    job = ended("failed", None, data=b"\x80pickle", error_code=b"undecodable", task=b"resize")
    assert (job.task, job.args, job.kwargs, job.error_code) == ("resize", None, None, "undecodable")
    with pytest.raises(Conflict):
        to_submission(job)


@pytest.mark.parametrize(
    ("state", "status", "shown"),
    [
        ("queued", "canceled", "canceled"),
        ("scheduled", "stopped", "stopped"),
        ("scheduled", "queued", "queued"),
        ("failed", "queued", "queued"),
        ("expired", "canceled", "expired"),
        ("started", "canceled", "started"),
        ("started", "queued", "started"),
        ("finished", "failed", "finished"),
        ("queued", "deferred", "queued"),
    ],
)
def test_a_move_of_rqs_tools_is_seen_at_once(state: str, status: str, shown: str) -> None:
    hash = {"state": state.encode(), "status": status.encode(), "version": b"1", "run": b"1"}
    assert Job.from_hash("a", hash).status == shown


@pytest.mark.parametrize(
    "field",
    ["state", "status", "version", "run", "attempt", "tags", "created_ms", "timeout_ms", "max_attempts", "progress", "o:1:2"],
)
def test_a_hash_that_nobody_writes(field: str) -> None:
    hash = {"state": b"finished", "status": b"finished", "last": b"o:1:2", "o:1:2": orjson.dumps(OUTCOME | {"body": {"result": 1}})}
    if field == "status":
        del hash["state"]
    assert Job.from_hash("a", hash | {field: b""} if field != "status" and field != "state" and field != "o:1:2" else hash).final
    with pytest.raises(Undecodable, match=field if field not in ("state", "status") else "There is no"):
        Job.from_hash("a", hash | {field: b"{nonsense"})


@given(
    st.dictionaries(
        st.sampled_from(["state", "status", "data", "tags", "last", "o:1:1", "timeout", "ended_at", "progress"]), st.binary(max_size=20)
    )
)
def test_only_undecodable_escapes(hash: dict[str, bytes]) -> None:
    with contextlib.suppress(Undecodable):
        Job.from_hash("a", {"state": b"finished", "last": b"o:1:1"} | hash)


@pytest.mark.parametrize(
    ("hash", "seconds"),
    [
        ({}, 180),
        ({"timeout": b"-1"}, None),
        ({"timeout": b"180"}, 180),
        ({"timeout_ms": b"0"}, None),
        ({"timeout": b"3", "timeout_ms": b"2500"}, 2.5),
    ],
)
def test_timeouts(hash: dict[str, bytes], seconds: float | None) -> None:
    assert timeout_s(hash) == seconds


def test_a_stock_producers_job(client: redis.Redis) -> None:
    queue = Queue("images", connection=client, serializer=JSONSerializer)
    put = queue.enqueue("resize", "a.png", width=7, job_timeout=30)
    job = Job.from_hash(put.id, stored(client, put.id))
    assert (job.task, job.queue, job.status, job.args, job.kwargs, job.timeout_s) == (
        "resize",
        "images",
        "queued",
        ["a.png"],
        {"width": 7},
        30,
    )
    assert job.created_at == put.created_at
    waiting = queue.enqueue("resize", depends_on=put)
    job = Job.from_hash(waiting.id, stored(client, waiting.id))
    assert (job.status, job.reason) == ("scheduled", "deferred")


def test_a_record_goes_back_as_it_came(client: redis.Redis) -> None:
    before = replace(submit(client, overrides=Overrides(owner="me", tags={"k": "v"})), status=State.FAILED, version=9, run=2)
    client.flushall()
    changed = broker.run(client, moves.retry(before.id, 0, to_submission(before), before.version, before.run))
    assert (changed.answer, changed.state, changed.version) == ("ok", "queued", 10)
    after = Job.from_hash(before.id, stored(client, before.id))
    same = ("id", "owner", "task", "queue", "args", "kwargs", "tags", "timeout_s", "retry", "max_attempts", "rerun")
    assert {name: getattr(after, name) for name in same} == {name: getattr(before, name) for name in same}
    assert (after.run, after.attempt) == (3, 0)


def test_times_are_aware() -> None:
    job = Job.from_hash("a", {"status": b"queued", "created_at": b"2026-01-31T12:00:00.500000Z"})
    assert job.created_at == datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)
