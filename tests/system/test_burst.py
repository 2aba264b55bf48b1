"""The article's load on the whole path: every request a success, every job on record once, and soon (issue 2, 3)."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pace import within
from tests.processes import ROOT
from tests.system.site import Site

LAG_P99_S = 2.0  # the article's period of collection


@pytest.fixture(scope="module")
def site(folder: Path, redis_server_url: str) -> Iterator[Site]:
    with Site(
        folder, redis_server_url, f"sqlite:///{folder}/record.db", CLASSIC="on", CLASSIC_TASK="nap", TASKS="classics,examples"
    ) as site:
        yield site.start()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both forms, large and small; with --full the large one in both."""
    sizes = [(1000, 10, False), (3000, 100, True), (200, 20, True), (200, 20, False)]
    if metafunc.config.getoption("--full", default=False):
        sizes += [(1000, 10, True), (3000, 100, False)]
    names = [f"{requests}-{'classic' if classic else 'v1'}" for requests, _, classic in sizes]
    metafunc.parametrize(("requests", "processes", "classic"), sizes, ids=names)


def test_burst(site: Site, requests: int, processes: int, classic: bool) -> None:
    size = ["--requests", str(requests), "--processes", str(processes), "--timeout", str(within(3))]
    command = [sys.executable, "-m", "loadtest", "burst", "--url", site.apis[0].url, *size, *(["--classic"] if classic else [])]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    print(run.stdout, run.stderr)
    lines = run.stdout.splitlines()
    assert lines[0] == "100.0% request success!", run.stdout
    assert lines[2] == f"accepted {requests} recorded {requests} lost 0 duplicate 0"
    assert run.returncode == 0
    lag = re.search(r"p99 ([0-9.]+)", lines[3])
    assert lag
    assert float(lag[1]) < within(LAG_P99_S)
