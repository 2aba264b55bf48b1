"""Idempotency-Key: the same request twice is one job, on whatever replica, in whatever state."""

from functools import partial
from pathlib import Path

import pytest

from millpond import keys
from millpond.store import Store
from tests.api.at_once import at_once
from tests.api.hand import Hand
from tests.api.raw import JOB, post, talk
from tests.api.replica import Replica

BODY = {"task": "add", "args": [1, 2]}
LENGTH = b"Content-Length: %d" % len(JOB)


def test_same_key_and_body_is_the_same_job(api: Replica, hand: Hand) -> None:
    first = api.submit(BODY, idempotency_key='"k-1"')
    again = api.submit(BODY, idempotency_key='"k-1"')
    assert (first.status_code, again.status_code) == (202, 202)
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()
    assert again.headers["Location"] == first.headers["Location"]
    assert hand.client.scard(keys.OPEN) == hand.client.llen(keys.queue("default")) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"k"', "k"),
        ('"a \\"b\\" \\\\"', '"a \\"b\\" \\\\"'),
        ('"k"', '"k";a=1'),
        ('"k"', '"k";a; b="x, \\"y\\"";c=?1;d=:YQ==:;e=-1.5;f=tok/en;g=@1'),
        ('"a;b, c"', '"a;b, c";d'),
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", '"8e03978e-40d5-43e8-bc93-6894a57f9324"'),
        ("~!#'k", '"~!#\'k"'),
    ],
)
def test_quoted_and_bare_keys_are_the_same(api: Replica, one: str, other: str) -> None:
    first = api.submit(BODY, idempotency_key=one).json()["id"]
    assert api.submit(BODY, idempotency_key=other).json()["id"] == first


@pytest.mark.parametrize(
    "values",
    [
        [b""],
        [b" "],
        [b'""'],
        [b'"a'],
        [b'a"'],
        [b'"a"b'],
        [b'"a" ;b'],
        [b'"a";'],
        [b'"a";B'],
        [b'"a";b='],
        [b'"a\\b"'],
        [b'"\xc3\xbc"'],
        [b"\xfc"],
        [b"a b"],
        [b"a,b"],
        [b"a;b"],
        [b'"a", "b"'],
        [b'("a" "b")'],
        [b"a", b"a"],
        [b'"a"', b'"b"'],
        [b"k" * 256],
        [b'"' + b"k" * 256 + b'"'],
        [b'"a"' + b";a" * 3000 + b"!"],
    ],
)
def test_what_is_not_one_key_is_refused(api: Replica, hand: Hand, values: list[bytes]) -> None:
    lines = [b"Idempotency-Key: " + value for value in values]
    (said,) = talk(api, post(*lines, LENGTH, b"Connection: close", body=JOB))
    assert (said.status, said.problem["code"]) == (400, "bad_idempotency_key")
    assert not hand.client.exists(keys.OPEN)


def test_order_and_white_space_of_the_body_do_not_matter(api: Replica) -> None:
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    first = api.http.post("/v1/jobs", content=b'{"task":"add","args":[1],"kwargs":{"b":2}}', headers=headers)
    again = api.http.post("/v1/jobs", content=b'{ "kwargs": {"b": 2},\n "args": [1], "task": "add" }', headers=headers)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])


def test_another_body_under_the_key_is_refused(api: Replica, hand: Hand) -> None:
    api.submit(BODY, idempotency_key="k")
    answer = api.submit({"task": "add", "args": [1, 3]}, idempotency_key="k")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert hand.client.scard(keys.OPEN) == 1


def test_replay_shows_the_job_as_it_is_by_now(api: Replica, hand: Hand, store: Store) -> None:
    id = api.submit(BODY, idempotency_key="k").json()["id"]
    hand.finish(*hand.begin(), result=3)
    _is_replayed_as_ended(api, id)
    hand.collect(store, id)
    hand.forget(id)
    _is_replayed_as_ended(api, id)


def _is_replayed_as_ended(api: Replica, id: str) -> None:
    answer = api.submit(BODY, idempotency_key="k")
    assert (answer.status_code, answer.json()["id"], answer.json()["result"]) == (200, id, 3)


def test_two_replicas_know_the_same_keys(api: Replica, hand: Hand, shared_database: str, tmp_path: Path) -> None:
    with Replica(tmp_path, api.env["MILLPOND_REDIS_URL"], shared_database) as other:
        ids = set()
        for replica in (api, other, api, other):
            ids.add(replica.submit(BODY, idempotency_key="shared").json()["id"])
        assert len(ids) == 1
        assert other.submit({"task": "add", "args": [9]}, idempotency_key="shared").status_code == 422
        race = [partial(replica.submit, BODY, idempotency_key="race") for replica in [api, other] * 8]
        assert len({answer.json()["id"] for answer in at_once(race)}) == 1
    assert hand.client.scard(keys.OPEN) == 2
