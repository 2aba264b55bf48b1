"""What a task's limits become in a job's hash: so many at once, so many starts in so many ms, and a key."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import pytest

from millpond import gate
from millpond.catalogue import Entry
from millpond.job import Job, Overrides, submission_fields, to_submission
from millpond.task import Task


def fetch(path: str, /, site: str = "", *more: int, deep: Any = None) -> None: ...


def entry(**options: Any) -> Entry:
    return Entry.of(Task(name="fetch", function=fetch, **options))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({}, ""),
        ({"concurrency": 3}, "3 0 0 fetch"),
        ({"rate_per_s": 50}, "0 50 1000 fetch"),
        ({"concurrency": 1, "rate_per_s": 1}, "1 1 1000 fetch"),
        ({"rate_per_s": 0.3}, "0 1 3334 fetch"),
        ({"rate_per_s": 1 / 86_400}, "0 1 86400000 fetch"),
    ],
)
def test_limits(options: dict[str, Any], field: str) -> None:
    assert gate.field(entry(**options), ["a"], {}, {}) == field
    assert submission_fields(entry(**options), Overrides(), ["a"]).get("gate", "") == field


@pytest.mark.parametrize(
    ("by", "args", "kwargs", "key"),
    [
        ("path", ["a"], {}, "a"),
        ("path", ["x y\n1 2 3 z"], {}, "x y\n1 2 3 z"),
        ("site", ["a", "b"], {}, "b"),
        ("site", ["a"], {"site": "b"}, "b"),
        ("site", ["a"], {}, ""),
        ("deep", ["a", "b", 1], {"deep": 7}, "7"),
        ("deep", ["a"], {"deep": {"b": 1, "a": None}}, '{"a":null,"b":1}'),
        ("deep", ["a"], {"deep": {"a": None, "b": 1}}, '{"a":null,"b":1}'),
        ("path", ["a" * 100], {}, "a" * 100),
        ("path", ["a" * 101], {}, sha256(b"a" * 101).hexdigest()[:32]),
        ("tags.customer", ["a"], {}, "acme"),
        ("tags.other", ["a"], {}, ""),
    ],
)
def test_the_key_of_a_value(by: str, args: Sequence[Any], kwargs: dict[str, Any], key: str) -> None:
    assert gate.field(entry(concurrency=3, limit_by=by), args, kwargs, {"customer": "acme"}) == f"3 0 0 fetch:{key}"


def test_a_job_that_is_run_again_from_its_record_has_its_task_s_limits_of_now() -> None:
    job = Job(id="0" * 32, status="failed", task="fetch", queue="default", args=["a"], kwargs={}, tags={"customer": "acme"})
    limited = entry(concurrency=2, limit_by="tags.customer")
    assert to_submission(job, limited).fields["gate"] == "2 0 0 fetch:acme"
    assert "gate" not in to_submission(job, entry()).fields
    assert "gate" not in to_submission(job).fields


def test_a_held_job_says_so() -> None:
    hash = {"status": b"queued", "state": b"queued", "version": b"2", "origin": b"default", "place": b"held", "gate": b"1 0 0 k"}
    assert (Job.from_hash("a", hash).status, Job.from_hash("a", hash).reason) == ("queued", "held")
    assert Job.from_hash("a", hash | {"place": b"queue"}).reason is None
    assert Job.from_hash("a", hash | {"state": b"failed"}).reason is None  # requeued by a tool of RQ's
