"""Requests at fixed times: a server that stalls once cannot hide what waited meanwhile, and all figures of the run say so."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtest.burst import send_one
from loadtest.journal import Entry, Journal
from loadtest.latencies import Latencies
from loadtest.senders import Answer
from tests.loadtest.intake_server import PLAN, Stalling, burst, serving

STALL_S, RATE, REQUESTS, PROCESSES = 1.0, 100, 60, 2  # all are due before the stall ends
LEAST_P50_S = STALL_S - REQUESTS / RATE / 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("open-loop")


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[str]:
    """What the command printed; its files are in the folder."""
    size = ["--requests", str(REQUESTS), "--processes", str(PROCESSES), "--rate", str(RATE), "--timeout", "60", "--classic"]
    files = ["--journal", f"{folder}/journal.ndjson", "--json", f"{folder}/figures.json", "--pictures", f"{folder}/pictures"]
    with serving(Stalling(PROCESSES, STALL_S)) as server:
        code, lines, said = burst(server.url, *size, *files)
    assert (code, said) == (0, "")
    return lines


@pytest.fixture(scope="module")
def entries(folder: Path, lines: list[str]) -> list[Entry]:
    return Journal(folder / "journal.ndjson").read()


@pytest.fixture(scope="module")
def figures(folder: Path, lines: list[str]) -> Any:
    return json.loads((folder / "figures.json").read_text())


def test_each_request_is_due_at_its_time_and_sent_no_sooner(entries: list[Entry]) -> None:
    due = sorted(entry.due_s for entry in entries if entry.due_s is not None)
    assert due == pytest.approx([number / RATE for number in range(REQUESTS)])
    assert all(entry.late_s > -1e-6 for entry in entries)


def test_what_was_due_in_the_stall_shows_it(entries: list[Entry]) -> None:
    assert all(entry.due_s is not None and entry.latency_s >= STALL_S - entry.due_s for entry in entries)
    assert all(entry.sent_s >= STALL_S for entry in sorted(entries, key=lambda entry: entry.n)[PROCESSES:])


def test_the_lines_say_the_rate_and_how_late_it_was(lines: list[str]) -> None:
    assert lines[0] == "100.0% request success!"
    assert lines[1].startswith("latency ms: p50 ")
    assert float(lines[1].split()[3]) >= LEAST_P50_S * 1000
    assert lines[2].startswith(f"requests/s: asked {RATE} answered ")
    assert lines[3] == f"accepted {REQUESTS} recorded {REQUESTS} lost 0 duplicate 0"


def test_the_file_holds_all_figures(figures: Any, entries: list[Entry]) -> None:
    same = dict.fromkeys(("requests", "answered", "succeeded", "accepted", "recorded"), REQUESTS)
    assert figures["counts"] == {**same, "lost": 0, "duplicate": 0, "failures": {}}
    assert (figures["plan"]["per_s"], figures["plan"]["processes"], figures["asked_per_s"]) == (RATE, PROCESSES, RATE)
    assert figures["late_s"] == max(entry.late_s for entry in entries) >= STALL_S - PROCESSES / RATE
    assert figures["answered_per_s"] == pytest.approx(REQUESTS / figures["seconds"])
    assert set(figures["recorded_lag_s"]) == {"p50", "p99"}


def test_the_histogram_of_the_file_is_that_of_the_journal(figures: Any, entries: list[Entry]) -> None:
    text = figures["latencies"]["encoded"]
    assert text == Latencies(entry.latency_s for entry in entries).encoded()
    assert figures["latency_ms"]["p99"] == Latencies.decoded(text).at(99) * 1000


def test_pictures_of_the_run(folder: Path, lines: list[str]) -> None:
    names = {f"{name}-{theme}.svg" for name in ("latency", "answers") for theme in ("light", "dark")}
    assert {file.name for file in (folder / "pictures").iterdir()} == names


def test_the_processes_share_the_rate() -> None:
    due = sorted(PLAN.due_s(n) or 0.0 for process in range(PLAN.processes) for n in PLAN.share(process))
    assert due == pytest.approx([number / PLAN.per_s for number in range(PLAN.requests)])


class AtOnce:
    """A server that answers at once."""

    def send(self, n: int, key: str) -> Answer:
        return Answer(200)


def test_a_request_that_was_sent_late_is_a_success_by_its_own_time() -> None:
    entry = send_one(PLAN, AtOnce(), PLAN.first, time.monotonic() - 100)
    assert entry.success
    assert entry.seconds < PLAN.timeout_s < 100 <= entry.late_s < entry.latency_s


def test_a_closed_loop_is_never_late() -> None:
    entry = send_one(replace(PLAN, per_s=0.0), AtOnce(), PLAN.first, time.monotonic() - 100)
    assert (entry.due_s, entry.late_s, entry.latency_s) == (None, 0.0, entry.seconds)


@pytest.mark.parametrize("per_s", [-1.0, float("inf"), float("nan")])
def test_a_plan_has_a_rate_that_can_be(per_s: float) -> None:
    with pytest.raises(ValueError, match="so many a second"):
        replace(PLAN, per_s=per_s)
