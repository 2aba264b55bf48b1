"""Submit, read, wait for, cancel and retry a job."""

from datetime import UTC, datetime, timedelta

import pytest

from millpond.store import Store
from tests.api.hand import Hand
from tests.api.replica import Replica


def test_submission_is_accepted_with_its_place_and_itself(api: Replica) -> None:
    answer = api.submit({"task": "add", "args": [1, 2], "tags": {"who": "me"}})
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert (answer.headers["Retry-After"], answer.headers["ETag"], answer.headers["Server"]) == ("1", '"1"', "millpond")
    assert (job["status"], job["task"], job["queue"], job["args"], job["tags"]) == ("queued", "add", "default", [1, 2], {"who": "me"})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"args": [], "kwargs": {"seconds": 2.5, "job_id": "a"}, "queue": "other_queue-1"},
        {"delay_s": 60, "timeout_s": 1.5, "expires_in_s": 3600},
        {"run_at": "2999-01-01T00:00:00+02:00", "front": True},
        {"run_at": "2001-01-01T00:00:00Z"},
        {"retry": {"max_attempts": 5, "backoff_s": 0.5, "backoff_factor": 3, "max_backoff_s": 60, "jitter": 0}},
        {"args": [1e300, "ünïcödé \U0001f600"], "tags": {"a.b-c_D9": "ü"}},
    ],
)
def test_what_202_shows_is_what_redis_holds(api: Replica, more: dict[str, object]) -> None:
    answer = api.submit({"task": "sleep", **more})
    assert answer.status_code == 202, answer.text
    assert api.job(answer.json()["id"]) == answer.json()


def test_times_are_what_was_asked_for(api: Replica) -> None:
    job = api.submit({"task": "sleep", "delay_s": 90.5, "expires_in_s": 100}).json()
    created, run_at, expires = (datetime.fromisoformat(job[name]) for name in ("created_at", "run_at", "expires_at"))
    assert job["status"] == "scheduled"
    assert (run_at - created, expires - created) == (timedelta(seconds=90.5), timedelta(seconds=100))
    job = api.submit({"task": "sleep", "run_at": "2999-01-01T00:00:00.250+02:00"}).json()
    assert datetime.fromisoformat(job["run_at"]) == datetime(2998, 12, 31, 22, 0, 0, 250_000, UTC)


def test_front_goes_before_what_waits(api: Replica, hand: Hand) -> None:
    first = api.submit({"task": "sleep"}).json()["id"]
    second = api.submit({"task": "sleep", "front": True}).json()["id"]
    assert [one.id for one in hand.claim(2)] == [second, first]


def test_a_job_is_followed_to_its_end_and_into_the_record(api: Replica, hand: Hand, store: Store) -> None:
    id = api.submit({"task": "add", "args": [1, 2]}).json()["id"]
    (held,) = hand.begin()
    assert (api.job(id)["status"], api.job(id)["attempt"]) == ("started", 1)
    hand.finish(held, result={"sum": 3})
    ended = api.job(id)
    assert (ended["status"], ended["result"], ended["recorded_at"]) == ("finished", {"sum": 3}, None)
    hand.collect(store)
    recorded = api.job(id)
    assert recorded["recorded_at"] is not None
    assert recorded | {"recorded_at": None} == ended
    hand.forget(id)
    assert api.job(id) == recorded


def test_a_failed_job_is_200_with_its_error(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1, 2]}).json()["id"]
    hand.fail(*hand.begin())
    job = api.job(id)
    assert (job["status"], job["error"]["code"], job["error"]["message"]) == ("failed", "exception", "ValueError: no")


@pytest.mark.parametrize("path", ["/v1/jobs/0190a2b3c4d5e6f708192a3b4c5d6e7f", "/v1/jobs/no%00such", "/v1/jobs/a/b", "/v1/nothing", "/%ff"])
def test_unknown_things_are_404(api: Replica, path: str) -> None:
    answer = api.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_cancel_ends_what_waits_at_once(api: Replica) -> None:
    for more in ({}, {"delay_s": 60}):
        id = api.submit({"task": "sleep", **more}).json()["id"]
        answer = api.http.post(f"/v1/jobs/{id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")
        assert answer.headers["ETag"] == f'"{answer.json()["version"]}"'
        again = api.http.post(f"/v1/jobs/{id}/cancel")
        assert (again.status_code, again.json()["code"], again.json()["state"]) == (409, "wrong_state", "canceled")


def test_cancel_of_a_running_job_is_a_wish(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "sleep"}).json()["id"]
    hand.begin()
    answer = api.http.post(f"/v1/jobs/{id}/cancel")
    assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (202, "started", "1")
    assert hand.client.hget(f"rq:job:{id}", "wish") == b"cancel"


def test_if_match_is_honoured(api: Replica) -> None:
    id = api.submit({"task": "sleep"}).json()["id"]
    for wrong in ('"7"', "7", 'W/"1"', '"7", W/"1"', "garbage", ""):
        answer = api.http.post(f"/v1/jobs/{id}/cancel", headers={"If-Match": wrong})
        assert (answer.status_code, answer.json()["code"]) == (412, "version_mismatch"), wrong
    assert api.http.post(f"/v1/jobs/{id}/cancel", headers={"If-Match": '"1"'}).status_code == 200
    assert api.http.post(f"/v1/jobs/{id}/retry", headers={"If-Match": '"1"'}).status_code == 412
    assert api.http.post(f"/v1/jobs/{id}/retry", headers={"If-Match": "*"}).status_code == 200


def test_retry_begins_another_run(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1, 2]}).json()["id"]
    assert api.http.post(f"/v1/jobs/{id}/retry").status_code == 409
    hand.fail(*hand.begin())
    answer = api.http.post(f"/v1/jobs/{id}/retry")
    assert (answer.status_code, answer.json()["status"], answer.json()["run"]) == (200, "queued", 2)
    hand.finish(*hand.begin(), result=3)
    answer = api.http.post(f"/v1/jobs/{id}/retry")
    assert (answer.status_code, answer.json()["state"]) == (409, "finished")


def test_retry_of_a_forgotten_job_makes_it_anew_from_the_record(api: Replica, hand: Hand, store: Store) -> None:
    body = {"task": "add", "args": [1], "kwargs": {"b": 2}, "tags": {"k": "v"}, "timeout_s": 2.5, "retry": {"backoff_s": 7}}
    first = api.submit(body).json()
    hand.fail(*hand.begin())
    hand.collect(store)
    hand.forget(first["id"])
    failed = api.job(first["id"])
    assert failed["status"] == "failed"
    wrong = api.http.post(f"/v1/jobs/{first['id']}/retry", headers={"If-Match": '"1"'})
    assert wrong.status_code == 412
    answer = api.http.post(f"/v1/jobs/{first['id']}/retry", headers={"If-Match": f'"{failed["version"]}"'})
    job = answer.json()
    assert (answer.status_code, job["status"], job["run"]) == (200, "queued", 2)
    assert job["version"] > failed["version"]
    kept = ("args", "kwargs", "tags", "timeout_s", "max_attempts", "queue", "task", "created_at")
    assert {name: job[name] for name in kept} == {name: first[name] for name in kept}
    hand.finish(*hand.begin(), result=3)
    hand.collect(store)
    assert api.job(first["id"])["status"] == "finished"


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_moves_on_what_is_not_there_or_long_over(api: Replica, hand: Hand, store: Store, verb: str) -> None:
    answer = api.http.post(f"/v1/jobs/0190a2b3c4d5e6f708192a3b4c5d6e7f/{verb}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    hand.finish(*hand.begin(), result=2)
    hand.collect(store)
    hand.forget(id)
    answer = api.http.post(f"/v1/jobs/{id}/{verb}")
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "wrong_state", "finished")


def test_head_is_get_without_a_body(api: Replica) -> None:
    id = api.submit({"task": "sleep"}).json()["id"]
    answer = api.http.head(f"/v1/jobs/{id}")
    assert (answer.status_code, answer.headers["ETag"], answer.content) == (200, '"1"', b"")


def test_an_asked_request_id_comes_back(api: Replica) -> None:
    answer = api.http.get("/v1/jobs/x", headers={"X-Request-Id": "my-id.1"})
    assert (answer.headers["X-Request-Id"], answer.json()["request_id"]) == ("my-id.1", "my-id.1")
    made = [api.http.get("/livez", headers={"X-Request-Id": "not allowed!"}).headers["X-Request-Id"] for _ in range(2)]
    assert len({*made, "not allowed!"}) == 3
