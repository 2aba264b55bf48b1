"""ETag, If-Match and If-None-Match to the letter of RFC 9110, 8.8.3 and 13.1."""

import pytest

from api import etags
from millpond.store import Store
from tests.api.hand import Hand
from tests.api.replica import Replica


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        (" * ", None),
        ('"7"', {7}),
        ('"7r"', {7}),
        ('"7", "8" ,"x,y", W/"9"', {7, 8}),
        ('W/"7"', set()),
        ("7", set()),
        ("", set()),
        ('"7', set()),
        ('"' + "9" * 30 + '"', set()),
    ],
)
def test_if_match_compares_strongly(header: str | None, expected: set[int] | None) -> None:
    assert etags.versions(header) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        *[(None, False), ("", False), ("7", False), ('"7r"', False), ('"6,7"', False)],
        *[("*", True), ('"7"', True), ('W/"7"', True), ('"6", "7"', True)],
    ],
)
def test_if_none_match_compares_weakly(header: str | None, expected: bool) -> None:
    assert etags.unchanged(header, '"7"') is expected


def test_a_job_that_did_not_change_is_not_sent_again(api: Replica, hand: Hand, store: Store) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    seen = api.http.get(f"/v1/jobs/{id}")
    assert (seen.headers["ETag"], seen.headers["Vary"]) == ('"1"', "Prefer")
    for name in ("GET", "HEAD"):
        again = api.http.request(name, f"/v1/jobs/{id}", headers={"If-None-Match": seen.headers["ETag"]})
        assert (again.status_code, again.content, again.headers["ETag"], again.headers["Vary"]) == (304, b"", '"1"', "Prefer")
        assert "Content-Type" not in again.headers
    assert api.http.get(f"/v1/jobs/{id}?wait=0.1", headers={"If-None-Match": "*"}).status_code == 304
    assert api.http.get("/v1/jobs/nothing", headers={"If-None-Match": "*"}).status_code == 404
    hand.finish(*hand.begin(), result=2)
    ended = api.http.get(f"/v1/jobs/{id}", headers={"If-None-Match": '"1"'})
    assert (ended.status_code, ended.json()["status"]) == (200, "finished")
    hand.collect(store)
    hand.forget(id)
    recorded = api.http.get(f"/v1/jobs/{id}", headers={"If-None-Match": ended.headers["ETag"]})
    assert recorded.status_code == 200
    assert recorded.json()["recorded_at"]
    tag = recorded.headers["ETag"]
    assert api.http.get(f"/v1/jobs/{id}", headers={"If-None-Match": tag}).status_code == 304
    assert api.http.get(f"/v1/jobs/{id}", headers={"If-Match": f'"99", {tag}'}).status_code == 200
    wrong = api.http.get(f"/v1/jobs/{id}", headers={"If-Match": '"1"'})
    assert (wrong.status_code, wrong.json()["code"]) == (412, "version_mismatch")


def test_if_match_takes_a_list_and_also_what_only_the_record_knows(api: Replica, hand: Hand, store: Store) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    hand.fail(*hand.begin())
    hand.collect(store)
    hand.forget(id)
    version = api.job(id)["version"]
    for verb, tags in (("retry", f'"{version + 1}"'), ("retry", 'W/"1"'), ("cancel", '"1", "2"')):
        assert api.http.post(f"/v1/jobs/{id}/{verb}", headers={"If-Match": tags}).status_code == 412, verb
    tag = api.http.get(f"/v1/jobs/{id}").headers["ETag"]
    assert api.http.post(f"/v1/jobs/{id}/retry", headers={"If-Match": f'"{version + 7}", {tag}'}).status_code == 200
    again = api.job(id)["version"]
    canceled = api.http.post(f"/v1/jobs/{id}/cancel", headers={"If-Match": f'"{again + 5}", "{again}", "1"'})
    assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
