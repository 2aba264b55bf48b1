"""The articles' own requests, answered in their form (issue 2, 10)."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.site import Api, Site
from tests.until import until

CALL_S = 0.2
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, PUT, DELETE, OPTIONS",
    "Access-Control-Max-Age": "1000",
    "Access-Control-Allow-Headers": "CONTENT-TYPE, Access-Control-Allow-Origin, cache-control, Cache-Control, x-access-token",
    "Access-Control-Expose-Headers": "X-Resource-Count",
}
WAYS = {"cluster_info_threads": 8, "cluster_info_processes": 8, "cluster_info_gevent": 2}


@pytest.fixture(scope="module")
def site(folder: Path, redis_server_url: str) -> Iterator[Site]:
    settings = {"CLASSIC": "on", "TEST_SECONDS": CALL_S, "TASKS": "classics,examples"}
    with Site(folder, redis_server_url, f"sqlite:///{folder}/record.db", **settings) as site:
        yield site.start()


def ask(api: Api, method: str, path: str, body: bytes | None = None) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def clusters(data: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Cluster information without what was measured."""
    return [{name: value for name, value in cluster.items() if name != "seconds"} for cluster in data]


def test_a_get_with_a_job_id_is_added(site: Site) -> None:
    assert ask(site.apis[0], "GET", "/", b'{"job_id": 7}')[::2] == (200, b"7 add")
    with site.client() as client:
        (job,) = until(lambda: list(client.list(task="sleep", **{"tag.job_id": "7"})), 10, "the job is on record")
        assert client.get(job.id, wait_s=10).result == 7


def test_cluster_information_in_the_article_s_envelope(site: Site) -> None:
    began = time.monotonic()
    status, headers, body = ask(site.apis[0], "GET", "/test")
    seconds = time.monotonic() - began
    answer = json.loads(body)
    assert (status, answer["error_code"], answer["message"]) == (200, 0, "")
    assert [cluster["cluster_id"] for cluster in answer["data"]] == [1, 2, 3, 4]
    assert all(len(cluster["nodes"]) == len(cluster["switches"]) == 4 for cluster in answer["data"])
    assert all(8 * CALL_S <= cluster["seconds"] <= seconds for cluster in answer["data"])
    assert headers["Content-Type"].startswith("application/json")
    assert {name: headers.get(name) for name in CORS} == CORS


def test_options_answers_the_article_s_headers(site: Site) -> None:
    status, headers, _ = ask(site.apis[0], "OPTIONS", "/test")
    assert status in (200, 204)
    assert {name: headers.get(name) for name in CORS} == CORS


def test_an_error_is_in_the_envelope_too(site: Site) -> None:
    api = site.add_api(TEST_TASK="fail")
    until(api.ready, 20)
    status, headers, body = ask(api, "GET", "/test")
    answer = json.loads(body)
    assert (status, headers["Access-Control-Allow-Origin"]) == (202, "*")
    assert answer["error_code"] != 0
    assert "no answer today" in answer["message"]


def test_the_three_ways_find_the_same_in_their_times(site: Site) -> None:
    with site.client() as client:
        jobs = {task: client.get(client.submit(task, seconds=CALL_S).id, wait_s=30) for task in WAYS}
    assert {task: job.status for task, job in jobs.items()} == dict.fromkeys(WAYS, "finished")
    found = {task: clusters(job.result) for task, job in jobs.items()}
    assert found["cluster_info_threads"] == found["cluster_info_processes"] == found["cluster_info_gevent"]
    for task, calls in WAYS.items():
        for cluster in jobs[task].result:
            assert calls * CALL_S <= cluster["seconds"] < calls * CALL_S * 1.5
    said = [line for line in site.workers[0].lines() if "cluster" in str(line.get("event"))]
    for way in ("threads", "processes", "gevent"):
        assert len([line for line in said if f"by {way}" in line["event"]]) >= 4
