"""`millpond up` as a user runs it: ready within a minute, nothing left behind, nothing forgotten."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import exists
from tests.until import holds, until
from tests.up.supervised import READY_S, Up

PARTS = {"redis": r"(redis|valkey)-server", "api": r"api\.wsgi", "worker": r"-m worker( |$)", "collector": r"-m collector"}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with Up(tmp_path / "data") as one:
        yield one


def test_from_nothing_to_a_recorded_job(tmp_path: Path) -> None:
    began = time.monotonic()
    with Up(tmp_path / "data") as up:
        id = up.submit("sleep", 0.1)
        assert time.monotonic() - began < READY_S
        job = up.recorded(id)
        assert job["status"] == "finished"
        assert f"curl {up.url}/v1/jobs" in up.output()
        assert re.search(r"ready in \d+\.\d s", up.output())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda how: how.name)
def test_no_process_is_left_behind(up: Up, how: signal.Signals) -> None:
    up.submit("sleep", 0.5)
    family = list(up.family())
    assert len(family) >= 6, "redis, gunicorn and its worker, the worker and its child, the collector"
    up.signal(how)
    status = up.wait(60)
    until(lambda: not [pid for pid in family if exists(pid)], 5, "all children are gone")
    assert status == (-signal.SIGKILL if how == signal.SIGKILL else 0)


def test_a_drain_lets_jobs_end(up: Up) -> None:
    id = up.submit("sleep", 2)
    until(lambda: up.call(f"/v1/jobs/{id}")[1]["status"] == "started", 5, "the job runs")
    assert up.interrupt() == 0
    up.start()
    assert up.recorded(id)["attempt"] == 1


def test_history_and_open_jobs_outlive_a_restart(up: Up) -> None:
    done = up.submit("echo", "before")
    up.recorded(done)
    running, waiting = up.submit("sleep", 3), up.submit("sleep", 0.1, delay_s=4)
    until(lambda: up.call(f"/v1/jobs/{running}")[1]["status"] == "started", 5, "a job runs")
    up.kill()
    up.start()
    assert up.call(f"/v1/jobs/{done}")[1]["result"] == "before"
    for id in (running, waiting):
        assert up.recorded(id, 30)["status"] == "finished"
    listed = up.call("/v1/jobs")[1]["jobs"]
    assert {job["id"] for job in listed} == {done, running, waiting}


@pytest.mark.parametrize("part", PARTS)
def test_a_killed_part_is_started_again(up: Up, part: str) -> None:
    before = up.leader(PARTS[part])
    os.kill(before, signal.SIGKILL)
    until(lambda: not exists(before), 5, "it is dead")
    until(lambda: up.leader(PARTS[part]) != before, 20, f"{part} is started again")
    until(lambda: _accepts(up), 20, "jobs are accepted")
    id = up.submit("sleep", 0.05)
    assert up.recorded(id, 30)["status"] == "finished"
    assert f"{part}" in up.output()
    assert "SIGKILL" in up.output()


def _accepts(up: Up) -> bool:
    try:
        return up.call("/readyz")[0] == 200
    except OSError:
        return False


def test_a_second_interrupt_cuts(up: Up) -> None:
    id = up.submit("sleep", 60)
    until(lambda: up.call(f"/v1/jobs/{id}")[1]["status"] == "started", 5, "the job runs")
    family = list(up.family())
    up.signal(signal.SIGINT)
    until(lambda: "stopping" in up.output(), 5, "it drains")
    holds(lambda: up.alive, 1, "it waits for the job")
    began = time.monotonic()
    up.interrupt()
    assert time.monotonic() - began < 5
    until(lambda: not [pid for pid in family if exists(pid)], 5, "all children are gone")


def test_a_folder_in_use_is_refused_by_name(up: Up) -> None:
    second = Up(up.data, port=0)
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
    with_shadow = Up(tmp_path / "data", "--tasks", "json")
    assert with_shadow.launch().wait(60) == 1
    assert "'json'" in with_shadow.output()


def test_tasks_of_the_users_own_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "garden_tasks.py").write_text("from millpond import task\n\n\n@task\ndef water(beds: int) -> int:\n    return beds * 2\n")
    up = Up(tmp_path / "data", "--tasks", "garden_tasks")
    up.cwd = tmp_path
    with up:
        _, job = up.call("/v1/jobs?wait=10", {"task": "water", "args": [3]})
        assert (job["status"], job["result"]) == ("finished", 6)


def test_the_command_talks_to_it(up: Up) -> None:
    script = up.command[0]

    def said(*words: str) -> str:
        return subprocess.run([script, *words, "--url", up.url], capture_output=True, text=True, check=True).stdout

    assert '"status": "finished"' in said("submit", "sleep", "0.1", "--wait", "10")
    assert "sleep" in said("jobs")
