"""What a worker's processes weigh, at rest and after many jobs."""

from pathlib import Path

import pytest

from tests.until import until
from tests.worker.mill import Mill, Worker, pss_kb

PAYLOAD = "x" * 100
BATCH = 2_000


def weight_kb(worker: Worker) -> int:
    """All its processes, what they share with others by their share."""
    return sum(pss_kb(pid) for pid in (worker.pid, *worker.children))


def own_kb(worker: Worker) -> int:
    """What they have allocated: their share of libraries changes as others come and go."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in (worker.pid, *worker.children)]
    return sum(int(line.split()[1]) for rollup in rollups for line in rollup.splitlines() if line.startswith("Anonymous:"))


def run(mill: Mill, jobs: int, task: str = "echo") -> None:
    """Run so many, and take them out of Redis as if they were recorded and forgotten."""
    for at in range(0, jobs, BATCH):
        ids = mill.submit_many(task, [(PAYLOAD,)] * min(BATCH, jobs - at))
        until(lambda ids=ids: mill.client.zcard("rq:finished:default") == len(ids), 60, "all ran")  # type: ignore[misc]
        mill.client.delete("rq:finished:default", *(f"rq:job:{id}" for id in ids))
        mill.client.xtrim("mp:events", maxlen=0)


def test_a_worker_without_user_code_fits_in_85_mb(mill: Mill) -> None:
    with mill.worker(tasks="") as worker:
        until(lambda: mill.client.scard("mp:idle:default"), 10, "it is at rest")
        assert weight_kb(worker) <= 85_000


@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(("pool", "share"), [("thread", 1.0), ("process", 0.1), ("gevent", 0.1)])
def test_it_does_not_grow_with_its_jobs(mill: Mill, pool: str, share: float, full: bool) -> None:
    """By 2 % of all it weighs, from its tenth batch on; of runners, whose jobs take longer, a tenth of the jobs."""
    jobs = int((200_000 if full else 8_000) * share)
    with mill.worker(pool=pool, concurrency=2 if pool == "process" else 20) as worker:
        run(mill, 20_000 if full else jobs)
        before, all_kb = own_kb(worker), weight_kb(worker)
        run(mill, jobs)
        grown = own_kb(worker) - before
        print(f"{pool}: {all_kb} kB, grown by {grown} kB in {jobs} jobs")
        assert grown <= 0.02 * all_kb


def litter(mill: Mill) -> int:
    """How many objects only the garbage collector has freed, in the process that runs functions."""
    found = mill.result(mill.submit("litter"))
    mill.client.delete("rq:finished:default")
    return int(found)


@pytest.mark.parametrize(
    ("pool", "task"), [("thread", "echo"), ("thread", "echo_on_loop"), ("process", "echo"), ("gevent", "echo")], ids=lambda one: one
)
def test_jobs_leave_nothing_to_the_garbage_collector(mill: Mill, pool: str, task: str) -> None:
    """A ring of objects in each job would cost a tenth of all that it costs, and pauses."""
    with mill.worker(pool=pool, concurrency=1 if pool == "process" else 20):
        run(mill, 100, task)
        before = litter(mill)
        run(mill, BATCH, task)
        assert litter(mill) - before < BATCH / 20
