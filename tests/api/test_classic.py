"""The articles' two calls."""

from pathlib import Path

import pytest

from millpond import keys
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.api.test_waiting import Later
from tests.until import until

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, PUT, DELETE, OPTIONS",
    "Access-Control-Max-Age": "1000",
    "Access-Control-Allow-Headers": "CONTENT-TYPE, Access-Control-Allow-Origin, cache-control, Cache-Control, x-access-token",
    "Access-Control-Expose-Headers": "X-Resource-Count",
}


@pytest.mark.parametrize(("body", "said", "tag"), [(b'{"job_id": 7}', "7 add", "7"), (b'{"job_id": "seven"}', "seven add", "seven")])
def test_root_with_a_body_submits_as_in_the_first_article(api: Replica, hand: Hand, body: bytes, said: str, tag: str) -> None:
    answer = api.http.request("GET", "/", content=body)
    assert (answer.status_code, answer.text) == (200, said)
    assert answer.headers["Content-Type"].startswith("text/plain")
    (held,) = hand.begin()
    job = api.job(held.id)
    assert (job["task"], job["args"], job["tags"]) == ("sleep", [1, 7 if tag == "7" else tag], {"job_id": tag})
    assert job["id"] != tag


def test_root_without_a_body_says_where_things_are(api: Replica, hand: Hand) -> None:
    answer = api.http.get("/")
    assert (answer.status_code, answer.json()["jobs"]) == (200, "/v1/jobs")
    assert not hand.client.exists(keys.OPEN)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{}", 422, "validation_failed"),
        (b"7", 422, "validation_failed"),
        (b'{"job_id": null}', 422, "validation_failed"),
        (b'{"job_id": true}', 422, "validation_failed"),
        (b'{"job_id": 7', 400, "bad_json"),
    ],
)
def test_root_with_a_wrong_body_stores_nothing(api: Replica, hand: Hand, body: bytes, status: int, code: str) -> None:
    answer = api.http.request("GET", "/", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not hand.client.exists(keys.OPEN)


def test_test_answers_the_envelope_of_the_second_article(api: Replica, hand: Hand) -> None:
    call = Later(lambda: api.http.get("/test"))
    until(lambda: hand.client.llen(keys.queue("default")), 5)
    (held,) = hand.begin()
    assert api.job(held.id)["kwargs"] == {"seconds": 3}
    clusters = [{"cluster_id": number} for number in (1, 2, 3, 4)]
    hand.finish(held, result=clusters)
    answer, _ = call.result()
    assert (answer.status_code, answer.json()) == (200, {"error_code": 0, "message": "", "data": clusters})
    assert {name: answer.headers[name] for name in CORS} == CORS
    assert answer.headers["X-Resource-Count"] == "4"


def test_an_error_of_test_is_a_202_with_its_code(api: Replica, hand: Hand) -> None:
    call = Later(lambda: api.http.get("/test"))
    until(lambda: hand.client.llen(keys.queue("default")), 5)
    hand.fail(*hand.begin())
    answer, _ = call.result()
    assert (answer.status_code, answer.json()["error_code"], answer.json()["data"]) == (202, 1, None)
    assert "ValueError: no" in answer.json()["message"]
    hand.client.flushall()
    until(lambda: not api.http.get("/v1/tasks").json()["tasks"], 5)
    answer = api.http.get("/test")
    assert (answer.status_code, answer.json()["error_code"]) == (202, 3)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", ["/", "/test"])
def test_head_makes_no_work(api: Replica, hand: Hand, path: str) -> None:
    answer = api.http.request("HEAD", path, content=b'{"job_id": 7}')
    assert answer.status_code == 405
    assert not hand.client.exists(keys.OPEN)


def test_options_of_test_allows_other_origins(api: Replica) -> None:
    answer = api.http.options("/test")
    assert (answer.status_code, answer.content) == (200, b"")
    assert {name: answer.headers[name] for name in CORS} == CORS


def test_classic_calls_are_off_unless_asked_for(redis_url: str, hand: Hand, shared_database: str, tmp_path: Path) -> None:
    with Replica(tmp_path, redis_url, shared_database) as api:
        assert api.http.request("GET", "/", content=b'{"job_id": 7}').status_code == 404
        assert api.http.get("/test").json()["code"] == "not_found"
        assert api.http.options("/test").status_code == 404
        assert api.http.get("/").status_code == 200
    assert not hand.client.exists(keys.OPEN)
