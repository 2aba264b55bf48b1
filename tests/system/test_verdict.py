"""The judge finds each kind of fault, and none where there is none."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.system.ledger import Ledger, Stint
from tests.system.record import AttemptRow, Row
from tests.system.verdict import Sent, Verdict, judge

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

Case = tuple[list[Sent], list[Row], list[AttemptRow], list[Stint]]


def sent(n: int) -> Sent:
    return Sent(n, f"key-{n}", f"job-{n}", 1, 0.1, 100.0)


def row(n: int, status: str = "finished", attempt: int = 1, id: str = "", pid: int = 5) -> Row:
    return Row(id or f"job-{n}", status, attempt, 0, "w", "load", n, {"pid": pid}, NOON, NOON)


def attempt_row(n: int, attempt: int = 1, status: str = "finished") -> AttemptRow:
    return AttemptRow(f"job-{n}", 1, attempt, status, "w")


def stint(n: int, attempt: int = 1, pid: int = 5, began: float = 1.0, ended: float | None = 2.0) -> Stint:
    return Stint(f"job-{n}", attempt, pid, began, began, ended, ended)


def good() -> Case:
    return [sent(1), sent(2)], [row(1), row(2)], [attempt_row(1), attempt_row(2)], [stint(1), stint(2)]


def found(case: Case, *dead: int) -> list[str]:
    verdict = judge(*case, dead=set(dead))
    assert verdict.good == (not any(verdict.faults.values()))
    return [name for name, jobs in verdict.faults.items() if jobs]


def test_what_agrees_is_good() -> None:
    verdict: Verdict = judge(*good(), dead=set())
    assert verdict.good
    assert str(verdict).splitlines() == [
        "journal:  accepted 2, of these 0 only when asked again",
        "database: rows 2 (2 finished), lost 0, doubled 0, attempt rows 2",
        "ledger:   begun 2, ended 2, run again 0",
    ]


def _submitted_again(case: Case) -> None:
    answers, rows, attempts, _ = case
    answers.append(Sent(2, "key-2", "again", 1, 0.1, 100.0))
    rows.append(row(2, "failed", id="again"))
    attempts.append(AttemptRow("again", 1, 1, "failed", "w"))


FAULTS: dict[str, tuple[Callable[[Case], object], list[str]]] = {
    "no row": (lambda case: (case[1].pop(), case[2].pop()), ["lost"]),
    "not ended": (lambda case: (case[1].__setitem__(1, row(2, "started")), case[2].pop()), ["lost"]),
    "two jobs for a number": (_submitted_again, ["doubled"]),
    "an id for two requests": (lambda case: case[0].append(sent(2)), ["doubled"]),
    "a job nobody sent": (lambda case: case[0].pop(), ["strangers in the record"]),
    "no attempt row": (lambda case: case[2].pop(), ["attempt rows that disagree"]),
    "two rows of an attempt": (lambda case: case[2].append(attempt_row(1, status="failed")), ["attempt rows that disagree"]),
    "another outcome": (lambda case: case[2].__setitem__(0, attempt_row(1, status="failed")), ["attempt rows that disagree"]),
    "no work": (lambda case: case[3].pop(), ["finished without work"]),
    "work not ended": (lambda case: case[3].__setitem__(0, stint(1, ended=None)), ["finished without work"]),
    "work of another": (lambda case: case[3].__setitem__(0, stint(1, pid=6)), ["finished without work"]),
    "an attempt twice": (lambda case: case[3].append(stint(1, began=3.0, ended=4.0)), ["attempts begun twice"]),
    "two at once": (lambda case: case[3].append(stint(1, 2, began=1.5, ended=3.0)), ["begun while the holder lived"]),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found(name: str) -> None:
    case = good()
    change, faults = FAULTS[name]
    change(case)
    assert found(case) == faults


def test_a_second_run_after_a_death_is_no_fault() -> None:
    case = ([sent(1)], [row(1, attempt=2, pid=6)], [attempt_row(1, 2)], [stint(1, ended=None), stint(1, 2, 6, began=5.0, ended=6.0)])
    assert found(case, 5) == []
    assert found(case) == ["begun while the holder lived"]


def test_a_ledger_pairs_begins_and_ends(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")
    ledger.path.write_text("a 1 begin 5 1.0 11.0\nb 1 begin 5 1.1 11.1\na 1 end 5 2.0 12.0\na 2 begin 6 3.0 13.0\n")
    assert ledger.stints() == [
        Stint("a", 1, 5, 1.0, 11.0, 2.0, 12.0),
        Stint("b", 1, 5, 1.1, 11.1),
        Stint("a", 2, 6, 3.0, 13.0),
    ]
    assert [stint.job for stint in ledger.running()] == ["b", "a"]
    assert ledger.running(pid=5)[0].job == "b"
    assert ledger.pids() == {5, 6}
