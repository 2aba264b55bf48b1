"""POST /v1/batches and what is read of a batch: each line one job, answered after the upload."""

from collections.abc import Iterator

import pytest

from tests.api.batch import line, numbers, read, upload
from tests.api.hand import Hand
from tests.api.replica import Replica


def test_each_line_is_a_job(api: Replica, hand: Hand) -> None:
    answer = upload(api, b"".join(line(number) for number in range(1, 4)))
    assert answer.status_code == 202, answer.text
    batch = answer.json()
    assert answer.headers["Location"] == f"/v1/batches/{batch['id']}"
    assert (batch["lines"], batch["accepted"], batch["rejected"], batch["complete"], batch["problems"]) == (3, 3, 0, True, [])
    assert numbers(hand) == [1, 2, 3]
    lines = read(api, f"/v1/batches/{batch['id']}/lines")
    assert [(one["line"], one["status"]) for one in lines] == [(1, "queued"), (2, "queued"), (3, "queued")]
    assert [api.job(one["id"])["args"] for one in lines] == [[1], [2], [3]]


@pytest.mark.parametrize("chunked", [True, False])
def test_bytes_are_cut_anywhere(api: Replica, hand: Hand, chunked: bool) -> None:
    body = b"".join(line(number) for number in range(1, 1301))
    pieces: Iterator[bytes] = (body[at : at + 333] for at in range(0, len(body), 333))
    answer = upload(api, pieces if chunked else body)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1300), answer.text
    assert numbers(hand) == list(range(1, 1301))


def test_the_last_line_may_lack_its_end_and_blank_lines_count_only_as_lines(api: Replica, hand: Hand) -> None:
    batch = upload(api, line(1) + b"\n  \r\n" + line(4).rstrip() + b"\r\n" + line(5).rstrip()).json()
    assert (batch["lines"], batch["accepted"], batch["rejected"]) == (5, 3, 0)
    assert [one["line"] for one in read(api, f"/v1/batches/{batch['id']}/lines")] == [1, 4, 5]


def test_refused_lines_are_told_with_their_numbers_and_pointers(api: Replica, hand: Hand) -> None:
    bad = [b"{", b'{"task":"nothing"}', b'{"task":"add","args":["x"]}', b"[]", b'{"task":"add","args":[1],"front":1}']
    batch = upload(api, line(1) + b"\n".join(bad) + b"\n" + line(7)).json()
    assert (batch["accepted"], batch["rejected"], batch["lines"]) == (2, 5, 7)
    assert [(one["line"], one["code"]) for one in batch["problems"]] == [
        (2, "bad_json"),
        (3, "unknown_task"),
        (4, "validation_failed"),
        (5, "validation_failed"),
        (6, "validation_failed"),
    ]
    assert [one["errors"][0]["pointer"] for one in batch["problems"]] == ["#", "#/task", "#/args/0", "#", "#/front"]
    lines = read(api, f"/v1/batches/{batch['id']}/lines")
    assert [one["status"] for one in lines] == ["queued", *["rejected"] * 5, "queued"]
    assert numbers(hand) == [1, 7]


def test_a_hundred_problems_are_told_and_all_are_counted(api: Replica) -> None:
    batch = upload(api, b"{}\n" * 1234).json()
    assert (batch["rejected"], len(batch["problems"]), batch["problems"][-1]["line"]) == (1234, 100, 100)


def test_options_of_a_line_are_those_of_a_job(api: Replica, hand: Hand) -> None:
    body = line(1, delay_s=60) + line(2, queue="other", tags={"a": "b"}) + line(3, front=True) + line(4, timeout_s=5)
    batch = upload(api, body).json()
    jobs = [api.job(one["id"]) for one in read(api, f"/v1/batches/{batch['id']}/lines")]
    assert [job["status"] for job in jobs] == ["scheduled", "queued", "queued", "queued"]
    assert (jobs[1]["queue"], jobs[1]["tags"], jobs[3]["timeout_s"]) == ("other", {"a": "b"}, 5)
    assert numbers(hand) == [3, 4]
    assert batch["counts"] == dict.fromkeys(batch["counts"], 0) | {"scheduled": 1, "queued": 3}


def test_an_empty_upload_is_a_batch_of_nothing(api: Replica) -> None:
    batch = upload(api, b"").json()
    assert (batch["lines"], batch["accepted"], batch["complete"]) == (0, 0, True)
    assert read(api, f"/v1/batches/{batch['id']}/lines") == []
