"""Rule 6. The parent hands back only what its dead child held; deaths move a job aside, where it harms nobody but itself."""

import os
import signal
import sys
from pathlib import Path
from time import monotonic

from millpond import keys
from tests.millpond.scripts.pond import Pond
from tests.pace import within
from tests.processes import exists
from tests.until import until
from tests.worker.mill import Mill, Worker


def test_after_its_second_death_a_job_waits_alone_and_three_deaths_there_end_it(pond: Pond) -> None:
    (id,) = pond.submit()
    places = []
    for generation in range(1, 6):
        child = pond.hire(generation=generation)
        child.work(alone=not pond.queued())
        child.hand_back("retire", "died")
        places.append("queue" if pond.queued() else "alone" if pond.queued(place="ALONE") else "ended")
    assert places == ["queue", "alone", "alone", "alone", "ended"]
    assert (pond.job(id)["error_code"], pond.job(id)["crashes"]) == ("crashed", "3")


def test_a_killed_child_s_jobs_run_again_at_once_and_its_neighbours_are_not_blamed(mill: Mill) -> None:
    with mill.worker() as worker:
        (child,) = worker.children
        ids = mill.submit_many("nap", [(mill.file, 1.0)] * 25)
        mill.begun(20)
        os.kill(child, signal.SIGKILL)
        killed = monotonic()
        again = until(lambda: [note for note in mill.notes("begin") if note.pid != child], 10)
        assert again[0].at - killed < within(2)
        for id in ids:
            mill.wait(id)
        first = {note.job for note in mill.notes("begin") if note.pid == child}
        assert {id for id in ids if "deaths" in mill.job(id)} == first
        assert worker.events().count("child_started") == 2


def test_a_one_slot_child_runs_what_waits_alone(mill: Mill) -> None:
    with mill.worker() as worker:
        id = mill.submit("die", mill.file, 3)
        assert mill.result(id, timeout_s=30) == 4
        assert (mill.job(id)["deaths"], mill.job(id)["crashes"]) == ("3", "1")
        assert [line["alone"] for line in worker.lines("child_started")].count(True) >= 1


def test_the_parent_imports_no_user_code(mill: Mill, tmp_path: Path) -> None:
    module = tmp_path / "shy.py"
    module.write_text(
        "import os\nopen(os.environ['SHY'], 'a').write(f'{os.getpid()}\\n')\nfrom millpond import task\n@task\ndef shy(): pass\n"
    )
    worker = mill.worker(tasks="shy")
    worker.env |= {"PYTHONPATH": str(tmp_path), "SHY": str(tmp_path / "pids")}
    with worker:
        importers = {int(pid) for pid in (tmp_path / "pids").read_text().split()}
        assert importers == set(worker.children)


class HastyWorker(Worker):
    """A worker to which a child hangs after 2 s, not 30."""

    def __init__(self, log: Path, redis_url: str, **settings: object) -> None:
        super().__init__(log, redis_url, **settings)
        hasty = "import sys, worker.crew; worker.crew.HUNG_S = 2.0; from worker.parent import main; sys.exit(main())"
        self.command = [sys.executable, "-c", hasty]


def test_a_hung_child_loses_what_it_has_not_begun_and_keeps_what_it_has(mill: Mill, tmp_path: Path) -> None:
    with HastyWorker(tmp_path / "hasty.log", mill.url, concurrency=2, prefetch=3) as worker:
        (child,) = worker.children
        mill.submit("nap", mill.file, 8.0)
        mill.begun(1)
        hog = mill.submit("hold_gil", mill.file, 6.0)
        mill.begun(2)
        waiting = mill.submit_many("nap", [(mill.file, 0.0)] * 3)
        until(lambda: "child_hangs" in worker.events(), 10)
        assert {mill.result(id) != child for id in waiting} == {True}
        assert exists(child)
        assert mill.wait(hog, timeout_s=15)["attempt"] == "1"
        assert mill.client.hget(keys.named("GENERATIONS", worker.name), "1") in (b"retired", b"ended", None)
