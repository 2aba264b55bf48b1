"""`make bench-worker` in its shortest form: who can takes part, each job has one result, and each part has its figures."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.cli import app
from loadtest.stage import Stage
from loadtest.worker.clusters import WAYS
from loadtest.worker.contenders import CONTENDERS, PACKAGES, TASKIQ_PACKAGES, missing
from loadtest.worker.measure import rewrite
from loadtest.worker.slots import POOLS
from tests.pace import within
from tests.processes import ROOT

# The other contenders' packages are installed by `make bench-worker` alone, and the other parts take minutes.
PARTS, ONLY = "noop,slots,latency,sustained", "rq-simple"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one run printed, and its figures."""
    file: Path = tmp_path_factory.mktemp("worker") / "figures.json"
    command = [sys.executable, "-m", "loadtest", "worker", "--quick", "--parts", PARTS, "--only", ONLY, "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=within(60), check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


def test_each_contender_has_a_row(run: tuple[str, dict[str, Any]]) -> None:
    said, figures = run
    assert set(figures["noop"]) == set(figures["latency"]) - {"millpond-told"} == {"millpond", ONLY}
    assert all(one.title in said for one in CONTENDERS if one.name in figures["noop"])
    assert all(row["per_s"] > 0 and row["ratio"]["median"] > 0 for row in figures["noop"].values())


def test_a_contender_without_its_packages_is_named() -> None:
    assert {one.name for one in CONTENDERS if not missing(one)} >= {"millpond", "synced", "rq-simple", "rq"}
    assert "`make bench-worker`" in missing(replace(CONTENDERS[0], python=Path("nowhere")))


def test_a_goal_that_is_not_reached_is_marked(run: tuple[str, dict[str, Any]]) -> None:
    said, figures = run
    verdicts = [
        one["reached"] for part in ("noop", "slots", "latency") for row in figures[part].values() for one in row.get("goals", {}).values()
    ]
    assert len(verdicts) > len(POOLS)
    assert said.count(" missed") >= verdicts.count(False)


def test_each_pool_is_measured_against_its_ideal(run: tuple[str, dict[str, Any]]) -> None:
    slots = run[1]["slots"]
    assert set(slots) == {pool.name for pool in POOLS}
    assert all(0 < row["part"]["median"] < 2 for row in slots.values())


def test_each_paced_job_is_seen_to_end(run: tuple[str, dict[str, Any]]) -> None:
    rows = run[1]["latency"]
    assert set(rows) == {"millpond", "millpond-told", ONLY}
    assert all(row["jobs"] > 0 and 0 < row["p50_ms"] <= row["p99_ms"] for row in rows.values())


def test_all_that_was_accepted_is_on_record(run: tuple[str, dict[str, Any]]) -> None:
    sustained = run[1]["sustained"]
    assert sustained["drained_per_s"] > 0
    assert all(step["accepted"] > 0 for step in sustained["steps"])


def test_redis_rewrites_its_file_before_a_round_and_not_in_it(tmp_path: Path) -> None:
    with Stage(tmp_path) as stage:
        server = stage.redis("x")
        with server.client() as client:
            for number in range(1000):
                client.set("key", number)
            before = client.info("persistence")["aof_current_size"]
            rewrite(server)
            after = client.info("persistence")
    assert after["aof_current_size"] < before / 10
    assert not after["aof_rewrite_in_progress"]


def test_the_clusters_are_asked_in_every_way_of_the_articles() -> None:
    assert {way.name: way.article_s for way in WAYS} == {"threads": 24, "processes": 24, "gevent": 6, "fan-out": 6}


@pytest.mark.parametrize("words", [["--only", "nobody"], ["--parts", "nothing"]])
def test_what_there_is_not_is_refused(words: list[str]) -> None:
    done = CliRunner().invoke(app, ["worker", "--quick", *words])
    assert done.exit_code == 2
    assert "there is no " in done.output


@pytest.mark.parametrize(("file", "packages"), [("bench.txt", PACKAGES), ("bench-taskiq.txt", TASKIQ_PACKAGES)])
def test_the_peers_are_pinned_with_hashes(file: str, packages: tuple[str, ...]) -> None:
    locked = (ROOT / "requirements" / file).read_text()
    assert all(re.search(rf"^{name}==[0-9.]+ \\\n +--hash=sha256:", locked, re.MULTILINE) for name in packages)
