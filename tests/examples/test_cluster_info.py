"""Threads, processes and greenlets find the same clusters; how long it takes is what tells them apart."""

import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from examples.cluster_info import Cluster, cluster_info_gevent, cluster_info_processes, cluster_info_threads
from millpond.task import registered
from tests.processes import ROOT

CALL_S = 0.05
WAYS: dict[str, tuple[Callable[..., list[Cluster]], int]] = {
    "threads": (cluster_info_threads, 8),
    "processes": (cluster_info_processes, 8),
    "gevent": (cluster_info_gevent, 2),
}


def without_seconds(clusters: list[Cluster]) -> list[dict[str, Any]]:
    return [{name: value for name, value in cluster.items() if name != "seconds"} for cluster in clusters]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_finds_the_same_in_its_own_time(way: str, caplog: pytest.LogCaptureFixture) -> None:
    ask, calls = WAYS[way]
    caplog.set_level(logging.INFO)
    found = ask(seconds=CALL_S)
    numbers = [1, 2, 3, 4]
    parts = {"nodes": [{"node_id": n} for n in numbers], "switches": [{"switch_id": n} for n in numbers]}
    assert without_seconds(found) == [{"cluster_id": n, **parts} for n in numbers]
    assert len([line for line in caplog.messages if f"by {way}" in line]) == 4
    for cluster in found:  # never faster than its calls; how much slower depends on the machine
        assert calls * CALL_S <= cluster["seconds"] < calls * CALL_S * 3


@pytest.mark.parametrize("way", WAYS)
def test_the_clusters_can_be_chosen(way: str) -> None:
    ask, _ = WAYS[way]
    assert [cluster["cluster_id"] for cluster in ask([7, 5], seconds=0)] == [5, 7]
    assert ask([], seconds=0) == []


def test_greenlets_work_in_several_threads_at_once_and_leave_no_file_open() -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = open_files()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: cluster_info_gevent(seconds=CALL_S), range(8)))
    assert all(without_seconds(answer) == without_seconds(answers[0]) for answer in answers)
    assert open_files() == before


def test_a_process_that_fails_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="1 of 1 processes ended"):
        cluster_info_processes([1], seconds=-1.0)  # time.sleep refuses it, in the process


def test_without_gevent_one_task_alone_is_missing() -> None:
    code = "import sys; sys.modules['gevent'] = None; import examples; from millpond.task import registered; print(*sorted(registered()))"
    names = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    with_gevent = [name for name, task in registered().items() if task.path.startswith("examples.")]
    assert sorted([*names, "cluster_info_gevent"]) == sorted(with_gevent)
