"""The decorator registers plain functions, refuses wrong options by the task's name, and a job's context reaches its code."""

import asyncio
import contextvars
import math
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millpond.errors import BadSetting
from millpond.task import JobContext, Task, current_job, registered, running, task

# The package's name `task` is the decorator.
tasks: Any = sys.modules["millpond.task"]


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_registered", {})


def double(n: int) -> int:
    return 2 * n


async def wait() -> None:
    """Ends at once."""


def test_a_task_stays_a_plain_function() -> None:
    assert task(double) is double
    assert registered()["double"] == Task(name="double", function=double)
    assert not registered()["double"].is_coroutine


def test_options_and_another_name() -> None:
    task(name="later", queue="slow", timeout_s=7, max_attempts=3, rerun="never")(wait)
    later = registered()["later"]
    assert (later.queue, later.timeout_s, later.max_attempts, later.rerun, later.is_coroutine) == ("slow", 7, 3, "never", True)
    assert later.path == f"{__name__}.wait"


def test_two_functions_of_one_name_are_refused() -> None:
    task(double)
    task(double)  # a module that is imported again
    with pytest.raises(BadSetting, match=r"task 'double': .*double and .*wait"):
        task(name="double")(wait)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "no spaces"},
        {"name": "x" * 129},
        {"queue": "Upper"},
        {"queue": ""},
        {"timeout_s": 0},
        {"timeout_s": math.inf},
        {"timeout_s": math.nan},
        {"timeout_s": "60"},
        {"max_attempts": 0},
        {"max_attempts": True},
        {"max_attempts": 1.5},
        {"backoff_s": -1},
        {"timeout_s": 1e10},
        {"backoff_factor": 0.5},
        {"backoff_factor": 1001},
        {"max_backoff_s": None},
        {"jitter": 1.5},
        {"rerun": "sometimes"},
        {"retry_on": int},
        {"retry_on": [ValueError]},
        {"retry_on": (ValueError, 1)},
        {"give_up_on": None},
        {"concurrency": 0},
        {"concurrency": 2.0},
        {"concurrency": 10_001},
        {"rate_per_s": 0},
        {"rate_per_s": 1.5},
        {"rate_per_s": 1e-6},
        {"rate_per_s": math.nan},
        {"rate_per_s": "50"},
        {"limit_by": "value"},
        {"concurrency": 1, "limit_by": "nobody"},
        {"concurrency": 1, "limit_by": "tags."},
        {"concurrency": 1, "limit_by": "tags.a b"},
        {"concurrency": 1, "limit_by": 7},
    ],
)
def test_wrong_options(options: dict[str, Any]) -> None:
    with pytest.raises(BadSetting, match=r"^Task '"):
        task(**options)(double)
    assert not registered()


def test_all_wrong_options_are_told() -> None:
    with pytest.raises(BadSetting, match=r"queue 'A' is not .*; max_attempts is .*; jitter is"):
        task(queue="A", max_attempts=0, jitter=2)(double)


@pytest.mark.parametrize(
    ("options", "error", "again"),
    [
        ({}, ValueError(), True),
        ({}, SystemExit(), False),
        ({"retry_on": BaseException}, SystemExit(), True),
        ({"retry_on": OSError}, ConnectionError(), True),
        ({"retry_on": (OSError, KeyError)}, ValueError(), False),
        ({"give_up_on": ConnectionError}, ConnectionResetError(), False),
        ({"give_up_on": (ConnectionError, KeyError)}, OSError(), True),
        ({"retry_on": OSError, "give_up_on": OSError}, OSError(), False),
        ({"retry_on": ()}, ValueError(), False),
    ],
)
def test_which_exceptions_are_tried_again(options: dict[str, Any], error: BaseException, again: bool) -> None:
    assert Task(name="a", function=double, **options).retries(error) is again


def test_limits_go_by_a_tag_or_a_parameter() -> None:
    def fetch(site: str, *pages: int, deep: bool = False) -> None: ...

    for limit_by in ("tags.customer", "site", "deep"):
        Task(name="fetch", function=fetch, concurrency=1, rate_per_s=0.5, limit_by=limit_by)
    with pytest.raises(BadSetting, match="limit_by is"):
        Task(name="fetch", function=fetch, concurrency=1, limit_by="pages")


def test_what_cannot_be_a_task() -> None:
    def generate() -> Iterator[int]:
        yield 1

    with pytest.raises(BadSetting, match="generator"):
        task(generate)
    for thing in (Task, print, object()):
        with pytest.raises(BadSetting, match="Only a function"):
            task(thing)  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        task(timeout=3)(double)  # type: ignore[call-overload]


def test_outside_a_job_a_task_can_be_called() -> None:
    job = current_job()
    job.progress(0.5, "half way")
    assert (job.id, job.should_stop(), job.remaining_s) == ("", False, None)


def test_progress() -> None:
    seen: list[tuple[float | None, str]] = []
    job = JobContext(id="a", report=lambda fraction, message: seen.append((fraction, message)))
    job.progress(0)
    job.progress(1, "x" * 10_000)
    job.progress(message="only words")
    assert seen == [(0, ""), (1, "x" * tasks.MAX_MESSAGE), (None, "only words")]
    for fraction in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match="fraction"):
            job.progress(fraction)


def test_canceled_and_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.time, "monotonic", lambda: 100.0)
    assert JobContext(deadline=103.5, is_stopped=lambda: True).remaining_s == 3.5
    assert JobContext(deadline=99.0).remaining_s == 0
    assert JobContext(is_stopped=lambda: True).should_stop()


def test_each_thread_and_each_coroutine_has_its_own_job() -> None:
    def in_thread(id: str) -> str:
        with running(JobContext(id=id)):
            return current_job().id

    async def in_loop(id: str, together: asyncio.Barrier) -> str:
        with running(JobContext(id=id)):
            await together.wait()
            return current_job().id

    async def both() -> list[str]:
        together = asyncio.Barrier(5)
        return await asyncio.gather(*(in_loop(str(n), together) for n in range(5)))

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(in_thread, "abcde")) == list("abcde")
    assert asyncio.run(both()) == list("01234")
    assert current_job().id == ""


def test_code_that_copies_its_context_finds_the_job() -> None:
    with running(JobContext(id="outer")), ThreadPoolExecutor(1) as pool:
        assert pool.submit(contextvars.copy_context().run, lambda: current_job().id).result() == "outer"
