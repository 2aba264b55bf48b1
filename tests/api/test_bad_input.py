"""What is not a submission: each case its status, code and place; never a 5xx, and nothing stored."""

import json
from dataclasses import dataclass, field

import pytest

from millpond import keys
from tests.api.hand import Hand
from tests.api.replica import Replica

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Bad:
    """A body and how it is answered. `faults`: (pointer, code) of every fault, None where the problem itself says it all."""

    body: bytes
    status: int
    code: str
    faults: list[tuple[str, str]] | None = None
    headers: dict[str, str] = field(default_factory=lambda: JSON)


def job(**fields: object) -> bytes:
    return json.dumps({"task": "add", "args": [1], **fields}).encode()


CASES = {
    "no body": Bad(b"", 400, "bad_json", [("#", "bad_json")]),
    "white space": Bad(b" \n ", 400, "bad_json", [("#", "bad_json")]),
    "bad JSON": Bad(b'{"task": "add",', 400, "bad_json", [("#", "bad_json")]),
    "two documents": Bad(job() + job(), 400, "bad_json", [("#", "bad_json")]),
    "a form": Bad(b"task=add", 415, "unsupported_media_type", headers={"Content-Type": "application/x-www-form-urlencoded"}),
    "no media type": Bad(job(), 415, "unsupported_media_type", headers={}),
    "text": Bad(job(), 415, "unsupported_media_type", headers={"Content-Type": "text/plain"}),
    "NaN": Bad(b'{"task":"echo","args":[NaN]}', 400, "not_a_number", [("#/args/0", "not_a_number")]),
    "infinity": Bad(b'{"task":"echo","args":[-Infinity]}', 400, "not_a_number", [("#/args/0", "not_a_number")]),
    "duplicate keys": Bad(b'{"task":"add","args":[1],"task":"sleep"}', 400, "duplicate_key", [("#/task", "duplicate_key")]),
    "duplicate keys below": Bad(
        b'{"task":"echo","kwargs":{"value":{"a":1,"a":2}}}', 400, "duplicate_key", [("#/kwargs/value/a", "duplicate_key")]
    ),
    "depth 1,000": Bad(b'{"task":"echo","args":[' + b"[" * 1000 + b"]" * 1000 + b"]}", 400, "too_deep"),
    "depth 9,000": Bad(b'{"task":"echo","args":' + b"[" * 9_000 + b"]" * 9_000 + b"}", 400, "too_deep"),
    "depth 100,000": Bad(
        b'{"task":"echo","args":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "too_many_values", [("#", "too_many_values")]
    ),
    "5,000 digits": Bad(b'{"task":"echo","args":[' + b"9" * 5000 + b"]}", 400, "number_too_large", [("#/args/0", "number_too_large")]),
    "1e999": Bad(b'{"task":"echo","args":[1e999]}', 400, "number_too_large", [("#/args/0", "number_too_large")]),
    "lone surrogate": Bad(b'{"task":"echo","args":["\\ud800"]}', 400, "lone_surrogate", [("#/args/0", "lone_surrogate")]),
    "NUL": Bad(b'{"task":"echo","args":["a\\u0000b"]}', 400, "nul_character", [("#/args/0", "nul_character")]),
    "NUL in a key": Bad(b'{"task":"echo","args":[{"\\u0000":1}]}', 400, "nul_character"),
    "not UTF-8": Bad(b'{"task":"echo","args":["\xff"]}', 400, "bad_utf8", [("#", "bad_utf8")]),
    "2 MB": Bad(b'{"task":"echo","args":["' + b"x" * 2_000_000 + b'"]}', 413, "too_large"),
    "an array": Bad(b"[]", 422, "validation_failed", [("#", "wrong_type")]),
    "null": Bad(b"null", 422, "validation_failed", [("#", "wrong_type")]),
    "no task": Bad(b"{}", 422, "validation_failed", [("#/task", "missing_field")]),
    "a task that is no text": Bad(b'{"task":7}', 422, "validation_failed", [("#/task", "wrong_type")]),
    "unknown task": Bad(job(task="nobody.does_this"), 422, "unknown_task", [("#/task", "unknown_task")]),
    "wrong argument name": Bad(job(kwargs={"c": 1}), 422, "validation_failed", [("#/kwargs/c", "unexpected_argument")]),
    "missing argument": Bad(job(args=[]), 422, "validation_failed"),
    "too many arguments": Bad(job(args=[1, 2, 3]), 422, "validation_failed"),
    "argument of a wrong type": Bad(job(args=["one"]), 422, "validation_failed", [("#/args/0", "wrong_type")]),
    "true is no number": Bad(job(args=[True]), 422, "validation_failed", [("#/args/0", "wrong_type")]),
    "args no array": Bad(job(args={"a": 1}), 422, "validation_failed", [("#/args", "wrong_type")]),
    "kwargs no object": Bad(job(kwargs=[]), 422, "validation_failed", [("#/kwargs", "wrong_type")]),
    "unknown field": Bad(job(prio=1), 422, "validation_failed", [("#/prio", "unknown_field")]),
    "unknown field below": Bad(job(retry={"max": 1}), 422, "validation_failed", [("#/retry/max", "unknown_field")]),
    "negative delay": Bad(job(delay_s=-1), 422, "validation_failed", [("#/delay_s", "out_of_range")]),
    "endless delay": Bad(job(delay_s=1e300), 422, "validation_failed", [("#/delay_s", "out_of_range")]),
    "a delay that is text": Bad(job(delay_s="1"), 422, "validation_failed", [("#/delay_s", "wrong_type")]),
    "delay and time": Bad(job(delay_s=1, run_at="2999-01-01T00:00:00Z"), 422, "validation_failed", [("#/run_at", "conflicting_fields")]),
    "time without offset": Bad(job(run_at="2999-01-01T00:00:00"), 422, "validation_failed", [("#/run_at", "bad_value")]),
    "no time": Bad(job(run_at="tomorrow"), 422, "validation_failed", [("#/run_at", "bad_value")]),
    "a time that is a number": Bad(job(run_at=1), 422, "validation_failed", [("#/run_at", "bad_value")]),
    "a time beyond all days": Bad(job(run_at="0001-01-01T00:00:00+23:59"), 422, "validation_failed", [("#/run_at", "bad_value")]),
    "zero time-out": Bad(job(timeout_s=0), 422, "validation_failed", [("#/timeout_s", "out_of_range")]),
    "bad queue name": Bad(job(queue="Bad Name"), 422, "validation_failed", [("#/queue", "bad_name")]),
    "queue name with a line end": Bad(job(queue="name\n"), 422, "validation_failed", [("#/queue", "bad_name")]),
    "long queue name": Bad(job(queue="a" * 65), 422, "validation_failed", [("#/queue", "bad_name")]),
    "tag that is no text": Bad(job(tags={"a": 1}), 422, "validation_failed", [("#/tags/a", "wrong_type")]),
    "bad tag name": Bad(job(tags={"a b": "c"}), 422, "validation_failed", [("#/tags/a%20b", "bad_name")]),
    "long tag": Bad(job(tags={"a": "x" * 257}), 422, "validation_failed", [("#/tags/a", "too_long")]),
    "many tags": Bad(job(tags={f"t{n}": "" for n in range(33)}), 422, "validation_failed", [("#/tags", "too_long")]),
    "1.5 attempts": Bad(job(retry={"max_attempts": 1.5}), 422, "validation_failed", [("#/retry/max_attempts", "wrong_type")]),
    "front that is text": Bad(job(front="yes"), 422, "validation_failed", [("#/front", "wrong_type")]),
    "everything at once": Bad(
        job(task="add", args=["x"], kwargs={"c": 1}, queue="B", delay_s=-1, more=0),
        422,
        "validation_failed",
        [
            ("#/args/0", "wrong_type"),
            ("#/delay_s", "out_of_range"),
            ("#/kwargs/c", "unexpected_argument"),
            ("#/more", "unknown_field"),
            ("#/queue", "bad_name"),
        ],
    ),
    "empty key": Bad(job(), 400, "bad_idempotency_key", headers={**JSON, "Idempotency-Key": ""}),
    "empty quoted key": Bad(job(), 400, "bad_idempotency_key", headers={**JSON, "Idempotency-Key": '""'}),
    "half quoted key": Bad(job(), 400, "bad_idempotency_key", headers={**JSON, "Idempotency-Key": '"a'}),
    "long key": Bad(job(), 400, "bad_idempotency_key", headers={**JSON, "Idempotency-Key": "k" * 256}),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_submission(api: Replica, hand: Hand, name: str) -> None:
    case = CASES[name]
    answer = api.http.post("/v1/jobs", content=case.body, headers=case.headers)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (case.status, case.code), problem
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["status"] == case.status
    assert problem["title"]
    assert problem["detail"]
    if case.faults is not None:
        assert sorted((fault["pointer"], fault["code"]) for fault in problem["errors"]) == case.faults
    assert not hand.client.exists(keys.OPEN, keys.EVENTS, keys.queue("default"))
    assert not api.events("request_failed")


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/v1/jobs?limit=0", "limit"),
        ("/v1/jobs?limit=x", "limit"),
        ("/v1/jobs?limit=1&limit=2", "limit"),
        ("/v1/jobs?status=gone", "status"),
        ("/v1/jobs?since=yesterday", "since"),
        ("/v1/jobs?until=2026-01-01T00:00:00", "until"),
        ("/v1/jobs?color=red", "color"),
        ("/v1/jobs?q=%ff", "q"),
        ("/v1/jobs/x?wait=-1", "wait"),
        ("/v1/jobs/x?wait=soon", "wait"),
        ("/v1/jobs/x?wait=nan", "wait"),
    ],
)
def test_bad_parameter(api: Replica, path: str, parameter: str) -> None:
    answer = api.http.get(path)
    assert (answer.status_code, answer.json()["code"], answer.json()["parameter"]) == (400, "bad_parameter", parameter)


@pytest.mark.parametrize("status", ["", "queued", "started", "scheduled"])
@pytest.mark.parametrize(
    "cursor", ["x", "AAAA", "WzEsMl0", "WyJxdWV1ZWQiLCJkZWZhdWx0IiwwLCJ4IHkiXQ", "%00", "WyJzY2hlZHVsZWQiLCJkZWZhdWx0IiwwLCJ4IHkiXQ"]
)
def test_bad_cursor(api: Replica, status: str, cursor: str) -> None:
    api.submit({"task": "sleep"})
    answer = api.http.get(f"/v1/jobs?status={status}&cursor={cursor}")
    assert answer.status_code in (200, 400), answer.text
    assert answer.status_code == 200 or answer.json()["code"] == "bad_cursor"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/jobs", "GET, HEAD, POST"),
        ("POST", "/v1/jobs/x", "GET, HEAD"),
        ("GET", "/v1/jobs/x/cancel", "POST"),
        ("HEAD", "/v1/jobs/x/cancel", "POST"),
        ("PUT", "/v1/queues", "GET, HEAD"),
        ("BREW", "/livez", "GET, HEAD"),
    ],
)
def test_wrong_method_names_the_right_ones(api: Replica, method: str, path: str, allow: str) -> None:
    answer = api.http.request(method, path)
    assert answer.status_code == 405
    assert sorted(answer.headers["Allow"].split(", ")) == allow.split(", ")
    assert method == "HEAD" or answer.json()["code"] == "method_not_allowed"
