"""schemathesis over the whole of /openapi.json, as a running Millpond serves it: every call, every check, every phase.

Its phases: the document's examples; the border of each schema, on both sides; random requests that fit and that do not; and
chains of calls, each with the id of the job before (the document's links).
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.api.contract import document
from tests.processes import ROOT
from tests.servers import RedisServer
from tests.system.site import Site

EXAMPLES, EXAMPLES_FULL = 4, 300  # requests of each kind to each call
CONFIG = ROOT / "tests" / "api" / "fuzz.toml"


@pytest.mark.timeout(3600)
def test_schemathesis_finds_nothing(tmp_path: Path, redis_server: RedisServer, redis_url: str, full: bool) -> None:
    settings = {"TASKS": "typed", "CLASSIC": "on", "TEST_TASK": "sleep"}
    with Site(tmp_path, redis_url, f"sqlite:///{tmp_path}/millpond.db", **settings) as site:
        url = site.start().apis[0].url
        served = tmp_path / "openapi.json"
        served.write_bytes(httpx2.get(f"{url}/openapi.json").content)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(_command(served, url, full), cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        lines = site.apis[0].lines()
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
    calls = sum(len(path) - 1 for path in document()["paths"].values())
    assert f"{calls} selected / {calls} total" in run.stdout
    assert not [line for line in lines if line["event"] == "request_failed"]


def _command(served: Path, url: str, full: bool) -> list[str]:
    st = str(Path(sys.executable).with_name("st"))
    count = str(EXAMPLES_FULL if full else EXAMPLES)
    chosen = [] if full else ["--generation-deterministic"]
    return [st, "--config-file", str(CONFIG), "run", str(served), "--url", url, "--max-examples", count, *chosen]
