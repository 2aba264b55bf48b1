"""`make bench-intake` in its shortest form: it takes part what can, no answer is wrong, and each accepted job is in Redis."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.cli import app
from loadtest.intake.contenders import NAMES, PEERS_PYTHON
from loadtest.intake.machine import PEERS
from tests.processes import ROOT

QUEUEING = {"millpond", "everysec", "rq", "arq", "celery"}
NEED_PEERS = {"arq", "celery"}  # their packages are installed by `make bench-intake` alone


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What one run printed, and its figures."""
    file: Path = tmp_path_factory.mktemp("intake") / "figures.json"
    command = [sys.executable, "-m", "loadtest", "intake", "--quick", "--json", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(file.read_text())


def present() -> set[str]:
    return set(NAMES) - (set() if PEERS_PYTHON.exists() else NEED_PEERS)


def test_every_contender_has_a_row_or_a_reason(run: tuple[str, dict[str, Any]]) -> None:
    said, figures = run
    assert set(figures["closed"]) == present()
    assert set(figures["absent"]) == set(NAMES) - present()
    assert "the same by CPU" in said
    assert "open loop, millpond" in said


def test_each_accepted_job_is_in_redis(run: tuple[str, dict[str, Any]]) -> None:
    closed = run[1]["closed"]
    assert all(row["answered"] > 0 for row in closed.values())
    assert {name: row["queued"] for name, row in closed.items() if name in QUEUEING} == {
        name: row["answered"] for name, row in closed.items() if name in QUEUEING
    }
    assert all(row["queued"] is None for name, row in closed.items() if name not in QUEUEING)


def test_the_constant_is_as_long_as_an_answer(run: tuple[str, dict[str, Any]]) -> None:
    closed = run[1]["closed"]
    constant = {closed[name]["answer_bytes"] for name in ("tornado", "tornado-ours", "delegate")}
    assert constant.pop() == pytest.approx(closed["millpond"]["answer_bytes"], rel=0.1)
    assert not constant


def test_an_open_loop_gets_an_answer_to_each_request(run: tuple[str, dict[str, Any]]) -> None:
    rows = run[1]["open"]
    assert set(rows) == (QUEUEING - {"everysec"}) & present()
    assert all(row["answered"] > 0 and row["p99_ms"] >= row["p50_ms"] > 0 for row in rows.values())


def test_bulk_is_measured_or_said_to_be_missing(run: tuple[str, dict[str, Any]]) -> None:
    said, figures = run
    assert figures["batches"] is None or figures["batches"]["upload"]["per_s"] > 0
    assert (figures["batches"] is None) == ("no /v1/batches" in said)
    memory = figures["memory"]
    assert min(memory["ours"], memory["theirs"], memory["theirs_stock"]) > 100


def test_an_unknown_contender_is_refused() -> None:
    done = CliRunner().invoke(app, ["intake", "--quick", "--only", "nobody"])
    assert done.exit_code == 2
    assert "there is no nobody" in done.output


def test_the_peers_are_pinned_with_hashes() -> None:
    locked = (ROOT / "requirements/bench.txt").read_text()
    assert all(re.search(rf"^{name}==[0-9.]+ \\\n +--hash=sha256:", locked, re.MULTILINE) for name in PEERS)
