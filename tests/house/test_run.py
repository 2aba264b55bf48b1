"""The runner's own words: a line per suite, a closing line in pytest's form, and failure for a suite that ran nothing."""

import re

from tests.processes import ROOT
from tests.run import SUITES, Outcome, closing


def test_every_folder_of_tests_belongs_to_one_suite() -> None:
    folders = {f"tests/{path.name}" for path in (ROOT / "tests").iterdir() if path.is_dir() and list(path.rglob("test_*.py"))}
    listed = [folder for suite in SUITES.values() for folder in suite]
    assert sorted(listed) == sorted(folders)


def test_a_line_says_what_a_suite_did() -> None:
    assert Outcome("api", 3, 0, 0, 1.25).line() == "api        ok     3 passed in 1.2 s"
    assert Outcome("api", 3, 1, 2, 1.25).line() == "api        FAILED 3 passed, 1 failed, 2 skipped in 1.2 s"
    assert Outcome("api", 0, 0, 0, 1.25, "not done within 5 s").line() == "api        FAILED not done within 5 s in 1.2 s"


def test_nothing_run_is_a_failure() -> None:
    assert not Outcome("api", 0, 0, 0, 1.0).good
    assert not Outcome("api", 5, 0, 0, 1.0, "pytest ended with 3").good


def test_the_closing_line_is_pytests() -> None:
    line = closing([Outcome("a", 2, 0, 0, 1), Outcome("b", 1, 0, 1, 1)], 61)
    assert re.fullmatch(r"=+ 3 passed, 1 skipped in 61\.00s \(0:01:01\) =+", line)
    assert "1 failed, 2 passed" in closing([Outcome("a", 2, 0, 0, 1), Outcome("b", 0, 0, 0, 1)], 2)
