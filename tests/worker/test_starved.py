"""Workers that hardly get to run: without Python's lock, with a tenth of a core, paused. While they live, nobody takes their jobs; and what
was taken has one outcome, and begins nowhere late."""

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from tests.collector.running import Collector
from tests.processes import ROOT
from tests.system.record import Record
from tests.until import holds, until
from tests.worker.mill import Keeper, Mill, Worker

PERIOD_S = 0.1  # of a core's shares, as the kernel's own control groups have it


def signal_all(worker: Worker, number: int) -> None:
    """To the parent and all below, as happens to a container."""
    for pid in (worker.pid, *worker.children):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


class Throttle:
    """Lets a worker run for a `share` of each period; use it as a context."""

    def __init__(self, worker: Worker, share: float) -> None:
        self._worker, self._share = worker, share
        self._stop = Event()
        self._thread = Thread(target=self._turn, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(5)
        signal_all(self._worker, signal.SIGCONT)

    def _turn(self) -> None:
        while True:
            signal_all(self._worker, signal.SIGSTOP)
            self._stop.wait(PERIOD_S * (1 - self._share))
            signal_all(self._worker, signal.SIGCONT)
            if self._stop.wait(PERIOD_S * self._share):
                return


def ran_once(mill: Mill, ids: list[str], timeout_s: float = 30) -> None:
    """Each of them finished with its first attempt, and its function was called once."""
    ends = [mill.wait(id, timeout_s=timeout_s) for id in ids]
    assert [(end["attempt"], "deaths" in end) for end in ends] == [("1", False)] * len(ends)
    begun = Counter(note.job for note in mill.notes("begin"))
    assert [begun[id] for id in ids] == [1] * len(ids)


def test_who_holds_the_gil_loses_nothing(mill: Mill, full: bool) -> None:
    """In a thread: its neighbours and what was claimed ahead stand still with it, while another worker is idle."""
    seconds = 15.0 if full else 6.0
    with Keeper(mill.url) as keeper, mill.worker(concurrency=3, prefetch=3):
        ids = [mill.submit("nap", mill.file, 1.0), mill.submit("nap", mill.file, 1.0)]
        mill.begun(2)
        ids += [mill.submit("hold_gil", mill.file, seconds), *mill.submit_many("nap", [(mill.file, 0.0)] * 3)]
        mill.begun(3)
        with mill.worker(concurrency=3) as other:
            holds(lambda: not keeper.taken, seconds - 2, "a living worker's jobs were taken", every_s=0.2)
            ran_once(mill, ids)
            assert keeper.taken == []
            assert {note.pid for note in mill.notes("begin") if note.job in ids[:3]} & set(other.children) == set()


@pytest.mark.parametrize("pool", ["process", "gevent"])
def test_who_holds_the_gil_of_a_runner_holds_up_no_other_carrier(mill: Mill, full: bool, pool: str) -> None:
    seconds = 15.0 if full else 3.0
    with Keeper(mill.url) as keeper, mill.worker(pool=pool, concurrency=2, prefetch=0):
        hog = mill.submit("hold_gil", mill.file, seconds)
        mill.begun(1)
        other = mill.submit("nap" if pool == "process" else "doze", mill.file, 0.0)  # a process's own, the child's loop
        mill.wait(other, timeout_s=5)
        assert mill.state(hog) == "started"
        ran_once(mill, [hog, other])
        assert keeper.taken == []


@pytest.mark.parametrize("pool", ["thread", "process"])
def test_a_tenth_of_a_core_is_enough_to_be_alive(mill: Mill, full: bool, pool: str) -> None:
    over = monotonic() + (60 if full else 8)
    ids: list[str] = []
    with Keeper(mill.url) as keeper, mill.worker(pool=pool, concurrency=4) as worker:
        mill.result(mill.submit("echo", 1))
        with Throttle(worker, 0.1):
            while monotonic() < over:
                ids += mill.submit_many("nap", [(mill.file, 0.1)] * 5)
                mill.wait(ids[-1], timeout_s=30)
        ran_once(mill, ids)
        assert keeper.taken == []
        assert worker.events().count("child_started") == 1


def test_a_short_pause_takes_nothing_away(mill: Mill) -> None:
    """Long enough that Redis may have given its jobs away, and too short for that: it looks before it begins what it had claimed."""
    with Keeper(mill.url) as keeper, mill.worker(concurrency=2, prefetch=4) as worker:
        ids = mill.submit_many("nap", [(mill.file, 1.0)] * 6)
        mill.begun(2)
        signal_all(worker, signal.SIGSTOP)
        paused = monotonic()
        until(lambda: monotonic() - paused > 3.0, 4)
        signal_all(worker, signal.SIGCONT)
        ran_once(mill, ids)
        assert keeper.taken == []


def test_after_a_long_pause_each_has_one_outcome_and_none_begins_late(mill: Mill, tmp_path: Path) -> None:
    """Longer than keepers wait: what it ran and what it had claimed run elsewhere, and it learns that when it wakes up in the midst of
    both. Its own functions return then, too late to count."""
    url = f"sqlite:///{tmp_path}/record.db"
    upgrade = [sys.executable, "-m", "millpond.store", "upgrade"]
    subprocess.run(upgrade, env={**os.environ, "MILLPOND_DATABASE_URL": url}, cwd=ROOT, check=True, capture_output=True)
    with Collector(tmp_path / "collector.log", mill.url, url) as collector, mill.worker(concurrency=4, prefetch=4) as worker:
        ids = mill.submit_many("nap", [(mill.file, 2.0)] * 8)
        first = {note.job for note in mill.begun(4)}
        until(lambda: sum(map(len, mill.held().values())) == 8, 5, "the others are claimed ahead")
        lost = worker.children
        signal_all(worker, signal.SIGSTOP)
        with mill.worker(concurrency=8) as other:
            until(lambda: collector.lines("worker_taken_back"), 10, "they are taken back")
            until(lambda: len({note.job for note in mill.notes("begin") if note.pid in other.children}) == 8, 10, "all run elsewhere")
            signal_all(worker, signal.SIGCONT)
            record = Record(url)
            until(lambda: len(record.attempts(ids)) == 12 and not mill.client.exists("mp:open"), 15, "all is recorded")
            ended = Counter(one.job_id for one in record.attempts(ids) if one.status == "finished")
            assert ended == dict.fromkeys(ids, 1)
            assert {one.worker for one in record.attempts(ids) if one.status == "finished"} == {other.name}
            assert {(one.job_id, one.attempt) for one in record.attempts(ids) if one.status != "finished"} == {(id, 1) for id in first}
            until(lambda: not set(worker.children) & set(lost), 10, "its child was replaced")
            assert {note.job for note in mill.notes("begin") if note.pid in lost} == first
