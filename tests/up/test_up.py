"""`millpond up` as a user runs it: ready within a minute, nothing left behind, nothing forgotten.

Starting everything takes some seconds, so a test follows one installation through what belongs together.
"""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pace import within
from tests.processes import exists
from tests.until import holds, until
from tests.up.supervised import READY_S, Up

PARTS = {"redis": r"(redis|valkey)-server", "api": r"api\.wsgi", "worker": r"-m worker( |$)", "collector": r"-m collector"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that runs through this module's tests."""
    began = time.monotonic()
    with Up(tmp_path_factory.mktemp("up") / "data") as one:
        one.submit("sleep", 0)
        one.first_accepted_s = time.monotonic() - began
        yield one


def test_from_nothing_to_a_recorded_job(up: Up) -> None:
    assert up.first_accepted_s < READY_S
    job = up.recorded(up.submit("sleep", 0.1))
    assert job["status"] == "finished"
    assert f"curl {up.url}/v1/jobs" in up.output()
    assert re.search(r"ready in \d+\.\d s", up.output())


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_started_again(up: Up, part: str) -> None:
    before = up.leader(PARTS[part])
    os.kill(before, signal.SIGKILL)
    until(lambda: not exists(before), 5, "it is dead")
    until(lambda: up.leader(PARTS[part]) != before, 20, f"{part} is started again")
    until(up.accepts, 20, "jobs are accepted")
    assert up.recorded(up.submit("sleep", 0.05), 30)["status"] == "finished"
    assert re.search(rf"{part}.* was killed by SIGKILL; it starts again", up.output())


def test_the_articles_calls_are_on(up: Up) -> None:
    assert up.call("/", {"job_id": 7}, "GET") == (200, "7 add")


def test_the_command_talks_to_it(up: Up) -> None:
    def said(*words: str) -> str:
        return subprocess.run([up.command[0], *words, "--url", up.url], capture_output=True, text=True, check=True).stdout

    job = json.loads(said("submit", "sleep", "0.1", "--wait", "10"))
    assert job["status"] == "finished"
    assert job["id"] in said("jobs"), "whole, where there are but 80 columns"


def test_a_folder_in_use_is_refused_by_name(up: Up) -> None:
    second = Up(up.data)
    second.log = up.data.with_suffix(".second")
    assert second.launch().wait(20) == 2
    assert f"{up.data} is in use by process {up.pid}" in second.output()


def test_a_port_in_use_is_refused_by_name(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        up = Up(tmp_path / "data", port=taken.getsockname()[1])
        assert up.launch().wait(20) == 2
    assert f"port {up.port} cannot be used" in up.output()


def test_a_task_module_that_shadows_is_refused_by_name(tmp_path: Path) -> None:
    up = Up(tmp_path / "data", "--tasks", "json")
    assert up.launch().wait(60) == 1
    assert "'json'" in up.output()


def test_a_drain_lets_jobs_end_and_a_kill_loses_none(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as up:
        done = up.submit("echo", "before")
        drained = up.submit("sleep", 2)
        until(lambda: up.status(drained) == "started", 5, "the job runs")
        up.ends_with(signal.SIGTERM, 0)

        up.start()
        assert up.recorded(drained)["attempt"] == 1
        running, waiting = up.submit("sleep", 3), up.submit("sleep", 0.1, delay_s=4)
        until(lambda: up.status(running) == "started", 5, "a job runs")
        up.ends_with(signal.SIGKILL, -signal.SIGKILL)

        up.start()
        assert up.call(f"/v1/jobs/{done}")[1]["result"] == "before"
        assert up.recorded(running, 30)["attempt"] == 2
        assert up.recorded(waiting, 30)["status"] == "finished"
        assert {job["id"] for job in up.call("/v1/jobs")[1]["jobs"]} == {done, drained, running, waiting}
        up.ends_with(signal.SIGINT, 0)


def test_users_tasks_are_found_and_a_second_interrupt_cuts(tmp_path: Path) -> None:
    (tmp_path / "garden_tasks.py").write_text("from millpond import task\n\n\n@task\ndef water(beds: int) -> int:\n    return beds * 2\n")
    up = Up(tmp_path / "data", "--tasks", "examples,garden_tasks", "--workers", "2")
    up.cwd = tmp_path
    with up:
        _, job = up.call("/v1/jobs?wait=10", {"task": "water", "args": [3]})
        assert (job["status"], job["result"]) == ("finished", 6)
        endless = up.submit("sleep", 60)
        until(lambda: up.status(endless) == "started", 5, "the job runs")
        up.signal(signal.SIGINT)
        until(lambda: "stopping" in up.output(), 5, "it drains")
        holds(lambda: up.alive, 1, "it waits for the job")
        began = time.monotonic()
        up.ends_with(signal.SIGINT, 0)
        assert time.monotonic() - began < within(5)


def test_a_closed_terminal_drains(up: Up) -> None:
    up.ends_with(signal.SIGHUP, 0)
