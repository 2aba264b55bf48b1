"""The whole command against a small server that can lose and double: it is found out, and the exit code says so."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from loadtest.cli import app
from loadtest.journal import Journal
from loadtest.senders import Answer, sender
from tests.loadtest.intake_server import PLAN, Intake, burst, serving
from tests.pace import within
from tests.processes import free_port


@pytest.fixture
def intake() -> Iterator[Intake]:
    with serving(Intake()) as server:
        yield server


SIZE = ["--requests", "30", "--processes", "3"]


@pytest.mark.parametrize("form", [["--classic"], []], ids=["classic", "v1"])
def test_all_is_well(intake: Intake, form: list[str], tmp_path: Path) -> None:
    journal = tmp_path / "journal.ndjson"
    code, lines, said = burst(intake.url, *SIZE, *form, "--journal", str(journal))
    assert (code, said) == (0, "")
    assert lines[0] == "100.0% request success!"
    assert lines[1].startswith("latency ms: p50 ")
    assert lines[2:] == ["accepted 30 recorded 30 lost 0 duplicate 0", "recorded_at - ended_at s: p50 0.000 p99 0.000"]
    entries = Journal(journal).read()
    assert len({entry.n for entry in entries}) == len({entry.key for entry in entries}) == 30
    assert all(bool(entry.id) == (not form) for entry in entries)


@pytest.mark.parametrize("form", [["--classic"], []], ids=["classic", "v1"])
def test_what_is_lost_or_doubled_is_counted(intake: Intake, form: list[str]) -> None:
    intake.lose, intake.double = 4, 2
    code, lines, _ = burst(intake.url, *SIZE, *form)
    assert (code, lines[0], lines[2]) == (1, "100.0% request success!", "accepted 30 recorded 26 lost 4 duplicate 2")


def test_a_refused_request_is_no_success(intake: Intake) -> None:
    intake.refuse_every = 3
    code, lines, _ = burst(intake.url, "--requests", "30", "--processes", "1")
    assert code == 1
    assert lines[0].startswith("66.66")
    assert lines[2] == "failed: 10 x 422 unknown_task"
    assert lines[3] == "accepted 20 recorded 20 lost 0 duplicate 0"


def test_nobody_there() -> None:
    code, lines, _ = burst(f"http://127.0.0.1:{free_port()}", "--requests", "2", "--processes", "2", "--timeout", "0.5")
    assert (code, lines[0], lines[-2]) == (1, "0.0% request success!", "accepted 0 recorded 0 lost 0 duplicate 0")


def test_a_server_of_the_article_can_have_another_word(intake: Intake) -> None:
    plan = replace(PLAN, url=intake.url, timeout_s=within(3))
    assert sender(plan).send(5, "key") == Answer(200)
    assert sender(replace(plan, word="done")).send(5, "key") == Answer(200, error="5 add")


def test_a_bar_that_was_asked_for_is_on_standard_error_alone(intake: Intake) -> None:
    code, lines, said = burst(intake.url, *SIZE, "--progress")
    assert (code, len(lines)) == (0, 4)
    assert "30 succeeded, 0 failed" in said
    assert said.count("30/30") >= 2  # answered, recorded


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_is_more_than_nothing(rate: str) -> None:
    refused = CliRunner().invoke(app, ["burst", "--rate", rate])
    assert (refused.exit_code, "more than 0" in refused.output) == (2, True)
