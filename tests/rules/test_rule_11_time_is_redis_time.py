"""Rule 11. Times come from Redis in scripts and from monotonic clocks in processes: a wrong host clock changes nothing."""

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from millpond import keys, moves
from millpond.scripts import load
from millpond.store import Store
from tests.collector.running import Collector
from tests.millpond.scripts.pond import Pond
from tests.processes import ROOT
from tests.rules.clocks import ahead
from tests.until import until
from tests.worker.mill import Mill

WALL_CLOCKS = {"time", "time_ns", "now", "utcnow", "today"}
# The age of a file is a matter of file times, the Date of an answer one of HTTP, and neither of any job.
MAY_LOOK = {"millpond/health.py", "api/hot.py"}


def test_scripts_ask_redis_for_the_time(pond: Pond) -> None:
    before = pond.now()
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0])
    job, after = pond.job(id), pond.now()
    assert before <= int(job["enqueued_ms"]) <= after
    for name in ("created_at", "enqueued_at", "started_at", "ended_at"):
        assert before <= datetime.strptime(job[name], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp() * 1000 <= after + 1, name
    assert not [verb for verb in ("submit", "claim", "tick") if "os.time" in load(verb).text or "os.clock" in load(verb).text]


def wall_clocks(file: Path) -> Iterator[str]:
    """Where a module reads the host's wall clock."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            owner, _, function = ast.unparse(node.func).rpartition(".")
            if owner.rpartition(".")[2] in ("time", "datetime", "date") and function in WALL_CLOCKS:
                yield f"{file.relative_to(ROOT)}:{node.lineno}"
        if isinstance(node, ast.ImportFrom) and node.module == "time" and {one.name for one in node.names} & WALL_CLOCKS:
            yield f"{file.relative_to(ROOT)}:{node.lineno}"


@pytest.mark.parametrize("folder", ["millpond", "api", "worker", "collector"])
def test_no_service_reads_the_wall_clock(folder: str) -> None:
    files = [file for file in (ROOT / folder).rglob("*.py") if str(file.relative_to(ROOT)) not in MAY_LOOK]
    assert files
    assert not [place for file in files for place in wall_clocks(file)]


@pytest.mark.parametrize("hours", [1, -1])
def test_services_with_a_wrong_clock_work_as_with_a_right_one(mill: Mill, tmp_path: Path, store: Store, hours: int) -> None:
    worker = mill.worker()
    worker.env = ahead(worker.env, hours * 3600)
    collector = Collector(tmp_path / "collector.log", mill.url, f"sqlite:///{tmp_path}/millpond.db")
    collector.env = ahead(collector.env, hours * 3600)
    with worker, collector:
        began = int(mill.client.time()[0])
        slow = mill.submit("nap", mill.file, 1.0, timeout_ms=5_000)
        again = mill.submit("flaky", mill.file, 1, max_attempts=2, backoff_ms=100)
        until(lambda: not mill.client.scard(keys.OPEN), 15, "both are recorded")
        for id, attempts in ((slow, 1), (again, 2)):
            row = store.get(id)
            assert row
            assert row.ended_at
            assert (row.status, row.attempt, row.deaths) == ("finished", attempts, 0)
            assert abs(row.ended_at.timestamp() - began) < 30
        assert mill.client.hgetall(keys.WORKERS)


def test_a_step_back_of_redis_s_clock_repeats_no_execution(pond: Pond) -> None:
    """The time is in an execution's id, and a counter too."""
    pond.submit(2)
    child = pond.hire()
    one, two = child.claim(1)[0], child.claim(1)[0]
    assert one.execution.split("-")[1] != two.execution.split("-")[1]
    assert pond.run(moves.start("w1", 1, [(two.id, one.execution)])) == ["no"]
