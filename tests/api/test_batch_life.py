"""What is told of a batch while its jobs run, end, are recorded, forgotten, retried and called off: counts that are true."""

from typing import Any

import pytest

from millpond import broker, keys, moves
from millpond.store import Store
from tests.api.batch import begin, line, lines_taken, read, upload
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.until import until


def counts(api: Replica, id: str) -> dict[str, int]:
    """The counts that are not 0, which must add up."""
    batch = api.http.get(f"/v1/batches/{id}").json()
    assert sum(batch["counts"].values()) == batch["accepted"]
    return {status: count for status, count in batch["counts"].items() if count}


def counted(api: Replica, id: str) -> dict[str, int]:
    """The same, counted by reading each line's job."""
    found: dict[str, int] = {}
    for one in read(api, f"/v1/batches/{id}/lines"):
        status = api.job(one["id"])["status"]
        assert status == one["status"]
        found[status] = found.get(status, 0) + 1
    return found


def check(api: Replica, id: str, **expected: int) -> None:
    assert counts(api, id) == counted(api, id) == expected


def test_counts_follow_the_jobs_through_their_lives(api: Replica, hand: Hand, store: Store) -> None:
    id = upload(api, b"".join(map(line, range(8))) + line(8, delay_s=60)).json()["id"]
    check(api, id, queued=8, scheduled=1)
    jobs = hand.begin(4)
    check(api, id, queued=4, started=4, scheduled=1)
    hand.finish(*jobs[:2], result=[1])
    hand.fail(jobs[2])
    check(api, id, queued=4, started=1, scheduled=1, finished=2, failed=1)
    hand.collect(store)
    check(api, id, queued=4, started=1, scheduled=1, finished=2, failed=1)
    hand.forget(jobs[0].id, jobs[2].id)
    check(api, id, queued=4, started=1, scheduled=1, finished=2, failed=1)
    assert api.http.post(f"/v1/jobs/{jobs[2].id}/retry").status_code == 200
    check(api, id, queued=5, started=1, scheduled=1, finished=2)
    assert api.http.post(f"/v1/jobs/{moves.line_id(id, 9)}/cancel").status_code == 200
    assert api.http.post(f"/v1/jobs/{jobs[3].id}/cancel").status_code == 202
    check(api, id, queued=5, started=1, finished=2, canceled=1)
    hand.finish(jobs[3])
    check(api, id, queued=5, finished=3, canceled=1)


def test_results_are_those_of_the_jobs_that_ended(api: Replica, hand: Hand, store: Store) -> None:
    id = upload(api, b"".join(map(line, range(120)))).json()["id"]
    assert read(api, f"/v1/batches/{id}/results") == []
    jobs = hand.begin(100)
    hand.finish(*jobs[:60], result={"is": "done"})
    hand.fail(*jobs[60:70])
    _has_results(api, id)
    hand.collect(store, *(job.id for job in jobs[:30]))
    _has_results(api, id)
    hand.collect(store)
    hand.forget(*(job.id for job in jobs[:50]))
    _has_results(api, id)
    assert [one["line"] for one in read(api, f"/v1/batches/{id}/results?after=68")] == [69, 70]


def _has_results(api: Replica, id: str) -> None:
    results = read(api, f"/v1/batches/{id}/results")
    assert [one["line"] for one in results] == list(range(1, 71))
    assert results[0] == {
        "line": 1,
        "id": moves.line_id(id, 1),
        "status": "finished",
        "reason": None,
        "result": {"is": "done"},
        "error": None,
    }
    assert (results[-1]["status"], results[-1]["result"], results[-1]["error"]["code"]) == ("failed", None, "exception")


def test_lines_are_read_on_from_any(api: Replica, hand: Hand, store: Store) -> None:
    id = upload(api, b"".join(map(line, range(1203)))).json()["id"]
    assert [one["line"] for one in read(api, f"/v1/batches/{id}/lines")] == list(range(1, 1204))
    assert [one["line"] for one in read(api, f"/v1/batches/{id}/lines?after=1200")] == [1201, 1202, 1203]
    assert read(api, f"/v1/batches/{id}/lines?after=1203") == []
    assert api.http.get(f"/v1/batches/{id}/lines?after=x").json()["code"] == "bad_parameter"


def test_cancel_ends_what_waits_and_tells_what_runs(api: Replica, hand: Hand) -> None:
    id = upload(api, b"".join(map(line, range(1500))) + line(1500, delay_s=60)).json()["id"]
    running = hand.begin(3)
    hand.finish(running[0])
    answer = api.http.post(f"/v1/batches/{id}/cancel")
    assert (answer.status_code, answer.json()) == (202, {"id": id, "canceled": 1498, "told": 2, "done": True})
    assert counts(api, id) == {"finished": 1, "started": 2, "canceled": 1498}
    hand.finish(*running[1:])
    answer = api.http.post(f"/v1/batches/{id}/cancel")
    assert (answer.status_code, answer.json()["canceled"]) == (200, 0)
    assert api.http.get(f"/v1/batches/{id}").json()["canceled"] is True


def test_a_canceled_batch_takes_no_more_lines(api: Replica, hand: Hand) -> None:
    body = b"".join(map(line, range(1, 2001)))
    with begin(api, len(body), "k") as connection:
        connection.sendall(body[: len(body) // 2])
        id = until(lambda: _first_batch(hand) if lines_taken(hand) else "", 10)
        assert api.http.post(f"/v1/batches/{id}/cancel").status_code == 200
        connection.sendall(body[len(body) // 2 :])
        assert connection.recv(65536).startswith(b"HTTP/1.1 409 ")
    answer = upload(api, body, "k")
    assert (answer.status_code, answer.json()["code"], answer.json()["state"]) == (409, "wrong_state", "canceled")
    assert {one["status"] for one in read(api, f"/v1/batches/{id}/lines")} == set(counts(api, id)) == {"canceled"}


def _first_batch(hand: Hand) -> str:
    (key,) = hand.client.keys(keys.named("BATCH", "*"))
    return moves.text(key).rpartition(":")[2]


def test_a_deleted_job_is_counted_as_canceled(api: Replica, hand: Hand) -> None:
    """As the collector records it (rule 7)."""
    id = upload(api, line(1) + line(2)).json()["id"]
    hand.forget(moves.line_id(id, 1))
    broker.run(hand.client, moves.recorded([moves.Committed(moves.line_id(id, 1), 0)]))
    assert counts(api, id) == {"queued": 1, "canceled": 1}


def test_a_batch_ends_with_its_retention_once_nothing_of_it_is_open(api: Replica, hand: Hand) -> None:
    id = upload(api, line(1) + line(2)).json()["id"]
    key = keys.named("BATCH", id)
    assert hand.client.ttl(key) == -1
    jobs = hand.begin(2)
    hand.finish(jobs[0])
    assert hand.client.ttl(key) == -1
    hand.fail(jobs[1])
    assert 29 * 86_400 < hand.client.ttl(key) <= 30 * 86_400
    assert api.http.post(f"/v1/jobs/{jobs[1].id}/retry").status_code == 200
    assert hand.client.ttl(key) == -1


@pytest.mark.parametrize(("method", "path", "status", "code"), [
    ("GET", "", 405, "method_not_allowed"),
    ("DELETE", "/" + "a" * 24, 405, "method_not_allowed"),
    ("GET", "/" + "a" * 24, 404, "not_found"),
    ("GET", "/" + "a" * 24 + "/lines", 404, "not_found"),
    ("GET", "/" + "a" * 24 + "/results", 404, "not_found"),
    ("POST", "/" + "a" * 24 + "/cancel", 404, "not_found"),
    ("GET", "/" + "a" * 24 + "/cancel", 405, "method_not_allowed"),
    ("GET", "/nonsense", 404, "not_found"),
])  # fmt: skip
def test_what_is_not_there(api: Replica, method: str, path: str, status: int, code: str) -> None:
    answer = api.http.request(method, f"/v1/batches{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize("headers", [
    {"Content-Type": "application/json"},
    {"Content-Type": ""},
    {"Content-Encoding": "gzip"},
])  # fmt: skip
def test_other_media_types_are_refused(api: Replica, hand: Hand, headers: dict[str, str]) -> None:
    answer = upload(api, line(1) * 10_000, **headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert lines_taken(hand) == 0


def test_a_bad_key_is_refused(api: Replica) -> None:
    assert upload(api, line(1), "a" * 256).json()["code"] == "bad_idempotency_key"


@pytest.mark.parametrize("ended", [True, False])
def test_a_line_that_is_too_long_ends_the_upload_before_it(api: Replica, hand: Hand, ended: bool) -> None:
    long = b'{"task":"echo","args":["%s"]}' % (b"x" * 2_000_000)
    answer = upload(api, line(1) + line(2) + long + (b"\n" + line(4) if ended else b""), "k")
    problem: dict[str, Any] = answer.json()
    assert (answer.status_code, problem["code"], problem["line"], problem["batch"]["accepted"]) == (413, "too_large", 3, 2)
    batch = upload(api, line(1) + line(2) + line(3), "k").json()
    assert (batch["accepted"], batch["complete"]) == (3, True)


def test_a_body_longer_than_any_limit_is_taken(api: Replica, hand: Hand) -> None:
    body = b"".join(b'{"task":"echo","args":["%s"]}\n' % (b"x" * 1_000_000) for _ in range(5))
    assert upload(api, body).json()["accepted"] == 5
