"""Each example does what its docstring says, called as the plain function that it is."""

import asyncio
import signal
import subprocess
import sys
from typing import Literal

import pytest

from examples.blocking import sleep
from examples.coroutine import echo
from examples.cpu import primes
from examples.mishaps import Unlucky, flaky
from examples.text import word_count
from millpond.loader import load
from millpond.task import JobContext, registered, running
from tests.processes import ROOT


def test_all_are_registered_under_their_names() -> None:
    names = {name for name, task in registered().items() if task.path.startswith("examples.")}
    assert {"sleep", "echo", "flaky", "crash", "primes", "word_count", "cluster_info_threads", "cluster_info_processes"} <= names


def test_sleep_answers_the_callers_number() -> None:
    assert sleep(0, job_id=7) == 7
    assert sleep(0) is None


def test_echo_is_a_coroutine() -> None:
    assert registered()["echo"].is_coroutine
    assert asyncio.run(echo({"a": [1]}, 0.001)) == {"a": [1]}


@pytest.mark.parametrize(
    ("below", "count", "largest"), [(-1, 0, None), (0, 0, None), (2, 0, None), (3, 1, 2), (30, 10, 29), (10_000, 1229, 9973)]
)
def test_primes(below: int, count: int, largest: int | None) -> None:
    assert primes(below) == {"count": count, "largest": largest}


def test_word_count_counts_and_reports() -> None:
    said: list[tuple[float | None, str]] = []
    with running(JobContext(report=lambda fraction, message: said.append((fraction, message)))):
        assert word_count("The mill, the POND\n" * 2000, top=2) == {"the": 4000, "mill": 2000}
    assert said == [(0.5, "1000 of 2000 lines"), (1.0, "2000 of 2000 lines")]
    assert word_count("It's l’été, it's 42!") == {"it's": 2, "l’été": 1, "42": 1}
    assert word_count("") == {}


def test_flaky_fails_twice_then_succeeds() -> None:
    for attempt in (1, 2):
        with running(JobContext(attempt=attempt)), pytest.raises(Unlucky, match=f"attempt {attempt} of 2"):
            flaky()
    with running(JobContext(attempt=3)):
        assert flaky() == "succeeded at attempt 3"
    assert registered()["flaky"].max_attempts == 3


@pytest.mark.parametrize(("how", "code"), [("exit", 70), ("segfault", -signal.SIGSEGV), ("abort", -signal.SIGABRT)])
def test_crash_ends_its_process(how: Literal["exit", "segfault", "abort"], code: int) -> None:
    call = f"import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); from examples.mishaps import crash; crash({how!r})"
    assert subprocess.run([sys.executable, "-c", call], cwd=ROOT, check=False).returncode == code


def test_the_package_can_be_loaded_as_a_user_names_it() -> None:
    assert {"sleep", "cluster_info_gevent"} <= set(load(["examples"]))
