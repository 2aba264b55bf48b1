"""/livez, /readyz, /version, /metrics."""

from millpond import __version__
from tests.api.hand import Hand
from tests.api.replica import Replica


def test_probes_and_version(api: Replica) -> None:
    assert api.http.get("/livez").json() == {"status": "ok"}
    assert api.http.get("/readyz").json() == {"status": "ready"}
    assert api.http.get("/version").json() == {"name": "millpond", "version": __version__}


def figures(api: Replica) -> dict[str, float]:
    lines = [line for line in api.http.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_metrics_count_what_was_answered(api: Replica, hand: Hand) -> None:
    before = figures(api)
    api.submit({"task": "add", "args": [1]})
    api.submit({"task": "add", "args": ["no"]})
    api.http.get("/v1/jobs/nothing")
    hand.begin()
    after = figures(api)

    def grown(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    prefix = 'millpond_http_requests_total{method="%s",route="%s",status="%s"}'
    assert grown(prefix % ("POST", "/v1/jobs", 202)) == 1
    assert grown(prefix % ("POST", "/v1/jobs", 422)) == 1
    assert grown(prefix % ("GET", "/v1/jobs/{id}", 404)) == 1
    assert grown('millpond_errors_total{code="validation_failed"}') == 1
    assert grown('millpond_submissions_total{answer="accepted"}') == 1
    assert grown("millpond_submit_batch_jobs_count") == 1
    assert grown('millpond_http_request_seconds_count{route="/v1/jobs"}') == 2
    assert (after['millpond_started_jobs{queue="default"}'], after['millpond_queued_jobs{queue="default"}']) == (1, 0)
    assert (after["millpond_open_jobs"], after["millpond_workers"]) == (1, 1)
    assert (after["millpond_redis_used_bytes"] > 100_000, after["millpond_redis_max_bytes"]) == (True, 0)
