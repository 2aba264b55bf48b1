"""The ladder in its quick form: every rung has its row, and shows the effect that the next one is there for."""

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from loadtest.cli import app
from loadtest.ladder.page import page
from loadtest.ladder.run import CLUSTERS, HALFWAY, NAMES, QUICK
from loadtest.ladder.rungs import RUNGS
from tests.pace import within
from tests.processes import ROOT

# Side by side: all that most of them do is wait.
SHARES = (
    ("millpond-workers", "inline", "coroutine"),
    ("millpond", "producer_consumer", "blocking"),
    (HALFWAY, "forked", "run_on_executor", "run_in_executor", "process_executor"),
)
FEW, MANY = (shape.name for shape in QUICK.bursts)

pytestmark = pytest.mark.timeout(within(120))

Found = dict[str, Any]


def climbed(folder: Path, share: tuple[str, ...]) -> Found:
    docs = folder / share[0]
    command = [sys.executable, "-m", "loadtest", "ladder", "--quick", "--only", ",".join(share), "--docs", str(docs)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=within(60), check=False)
    assert done.returncode == 0, done.stderr
    found: Found = json.loads((docs / "ladder.json").read_text())
    return found | {"docs": docs, "said": done.stdout}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """What each share of the ladder came to."""
    with ThreadPoolExecutor(len(SHARES)) as pool:
        return list(pool.map(partial(climbed, tmp_path_factory.mktemp("ladder")), SHARES))


@pytest.fixture(scope="module")
def rungs(runs: list[Found]) -> Found:
    """The figures of each rung."""
    return {name: figures for found in runs for name, figures in found["rungs"].items()}


def successes(rung: Found) -> tuple[float, float]:
    return rung["bursts"][FEW]["success"], rung["bursts"][MANY]["success"]


def test_every_rung_has_a_row(runs: list[Found], rungs: Found) -> None:
    assert {name for share in SHARES for name in share} | {CLUSTERS} == set(NAMES)  # the clusters: test_clusters.py
    assert set(rungs) == {rung.name for rung in RUNGS}
    said = "".join(found["said"] for found in runs)
    assert all(rung.title in said for rung in RUNGS)


def test_a_blocking_handler_answers_two_of_ten(rungs: Found) -> None:
    few, many = successes(rungs["blocking"])
    assert 0.1 <= few <= 0.2
    assert many <= 0.05
    assert rungs["blocking"]["held"]["clients"] <= 2


def test_forks_hold_as_much_more_as_there_are(rungs: Found) -> None:
    few, many = successes(rungs["forked"])
    assert 0.2 < few <= 1
    assert many <= 0.25
    assert rungs["forked"]["bursts"][MANY]["per_s"] > 2 * rungs["blocking"]["bursts"][MANY]["per_s"]


@pytest.mark.parametrize("name", ["inline", "coroutine"])
def test_a_loop_that_is_never_held_up_answers_all(rungs: Found, name: str) -> None:
    assert successes(rungs[name]) == (1, 1)
    assert rungs[name]["held"] == {"clients": QUICK.most, "least": True}


@pytest.mark.parametrize("name", ["run_on_executor", "run_in_executor", "process_executor"])
def test_an_executor_answers_as_many_as_it_has_slots_for(rungs: Found, name: str) -> None:
    few, many = successes(rungs[name])
    assert few == 1
    assert many <= 0.8


def test_a_queue_in_the_process_answers_all_and_loses_what_it_took(rungs: Found) -> None:
    rung = rungs["producer_consumer"]
    assert successes(rung) == (1, 1)
    assert rung["fall"]["lost"] >= rung["fall"]["accepted"] // 4 > 0


@pytest.mark.parametrize("name", ["millpond", "millpond-workers"])
def test_millpond_answers_all_and_loses_nothing(rungs: Found, name: str) -> None:
    rung = rungs[name]
    assert successes(rung) == (1, 1)
    assert rung["fall"]["accepted"] > 0
    assert rung["fall"]["lost"] == 0


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if not rung.queues], ids=lambda rung: rung.name)
def test_who_answers_after_the_work_loses_no_answered_job(rungs: Found, rung: Any) -> None:
    fall = rungs[rung.name]["fall"]
    assert fall["lost"] == 0
    assert fall["accepted"] + fall["cut"] == QUICK.fall.requests


def test_a_killed_fork_cuts_its_clients_off_and_a_killed_worker_none(runs: list[Found]) -> None:
    forks, workers = next(found["halfway"] for found in runs if found["halfway"])
    assert forks["cut"] > 0
    assert forks["lost"] == workers["lost"] == workers["cut"] == 0
    assert workers["accepted"] == QUICK.half.requests


def test_a_run_writes_its_page_and_its_pictures_for_both_themes(runs: list[Found]) -> None:
    for found in runs:
        docs: Path = found["docs"]
        text = (docs / "ladder.md").read_text()
        assert text == page(json.loads((docs / "ladder.json").read_text()))
        assert found["machine"]["processor"] in text
        pictures = re.findall(r'(?:srcset|src)="(\S+\.svg)"', text)
        assert len(pictures) == 2 * text.count("<picture>") > 0
        assert {docs / name for name in pictures} == set((docs / "pictures").iterdir())


def test_the_committed_page_has_every_row_and_picture() -> None:
    found = json.loads((ROOT / "docs/ladder.json").read_text())
    assert set(found["rungs"]) == {rung.name for rung in RUNGS}
    assert found["halfway"]
    assert found["clusters"]
    named = re.findall(r'(?:srcset|src)="(\S+\.svg)"', (ROOT / "docs/ladder.md").read_text())
    assert {ROOT / "docs" / name for name in named} == set((ROOT / "docs/pictures").glob("ladder-*.svg"))


def test_a_rung_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(app, ["ladder", "--only", "nobody"])
    assert done.exit_code == 2
    assert "there is no nobody" in done.output
