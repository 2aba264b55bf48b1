"""``python -m collector`` as it runs in a container."""

import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from millpond import health, keys
from millpond.store import JobFilter, Store
from tests.collector.running import Collector, end_all, settled
from tests.millpond.scripts.pond import Pond
from tests.processes import ROOT, free_port
from tests.until import until


def test_it_records_and_leaves_when_told(store: Store, record_url: str, redis_url: str, pond: Pond, tmp_path: Path) -> None:
    with Collector(tmp_path / "log", redis_url, record_url) as collector:
        pond.submit(20)
        end_all(pond)
        until(lambda: settled(pond), message="all is recorded")
        assert collector.stop() == 0
        assert collector.lines("recording_ended")
    assert pond.client.xinfo_consumers(keys.EVENTS, keys.GROUP) == []
    assert len(store.list(JobFilter(status=("finished",)), 100)[0]) == 20


def test_killed_between_commit_and_ack_it_leaves_one_row_a_job(
    store: Store, record_url: str, redis_url: str, pond: Pond, tmp_path: Path
) -> None:
    ids = pond.submit(50)
    end_all(pond)
    with Collector(tmp_path / "killed", redis_url, record_url, failpoint="collector.committed:kill") as killed:
        until(lambda: not killed.alive, message="it dies at the fail-point")
    assert len(store.list(JobFilter(status=("finished",)), 100)[0]) == 50, "it had committed"
    assert pond.open() == set(ids), "Redis was not told"
    before = {id: store.get(id) for id in ids}
    with Collector(tmp_path / "heir", redis_url, record_url, dead_consumer_s=1):
        until(lambda: settled(pond), message="its events are taken over")
    assert {id: store.get(id) for id in ids} == before
    assert all(len(store.attempts(id)) == 1 for id in ids)


def test_the_health_file_tells_of_both_loops(record_url: str, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "health"
    with Collector(tmp_path / "log", redis_url, record_url, health_file=file) as collector:
        until(file.exists, message="the health file is touched")
        assert health.fault(str(file)) == ""
        collector.pause()
        until(lambda: health.fault(str(file), max_age_s=1.0), message="a stopped process is not well")
        collector.resume()
        until(lambda: health.fault(str(file), max_age_s=1.0) == "", message="it is well again")


def test_its_metrics_tell_what_it_recorded(record_url: str, redis_url: str, pond: Pond, tmp_path: Path) -> None:
    port = free_port()
    with Collector(tmp_path / "log", redis_url, record_url, metrics_port=port):
        pond.submit(20)
        end_all(pond)
        until(lambda: settled(pond), message="all is recorded")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            told = answer.read().decode()
    for sample in (
        'events_total{kind="ended"} 20.0',
        'recorded_jobs_total{status="finished"} 20.0',
        "record_lag_seconds_count 20.0",
        "refused_batches_total 0.0",
    ):
        assert f"millpond_{sample}" in told


def test_it_takes_no_words() -> None:
    done = subprocess.run([sys.executable, "-m", "collector", "--help"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "MILLPOND_" in done.stderr


@pytest.mark.parametrize(
    ("name", "value"), [("DATABASE_URL", "mysql://host/name"), ("DATABASE_URL", "sqlite:///:memory:"), ("BATCH", "0"), ("RETENTION", "1")]
)
def test_a_wrong_setting_is_refused_by_name(name: str, value: str) -> None:
    command = [sys.executable, "-m", "collector"]
    done = subprocess.run(command, env={f"MILLPOND_{name}": value}, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert name in done.stderr
