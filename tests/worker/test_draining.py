"""How a worker ends: what runs is finished within the grace, the rest handed back, and nothing is lost or counted."""

import signal
from pathlib import Path
from time import monotonic

import pytest
from rq.command import send_kill_horse_command, send_shutdown_command

from tests.pace import within
from tests.processes import exists
from tests.until import until
from tests.worker.mill import Mill, Worker


def gone(mill: Mill, worker: Worker) -> None:
    """Redis knows nothing of it any more."""
    for key in ("mp:workers", f"mp:generations:{worker.name}", f"mp:alive:{worker.name}", f"rq:worker:{worker.name}"):
        assert not mill.client.exists(key), key
    assert not mill.client.smembers("rq:workers")
    assert not mill.held()
    assert not list(mill.client.scan_iter("mp:idle:*"))


@pytest.mark.parametrize("how", ["signal", "command"])
def test_a_warm_stop_finishes_what_runs_and_hands_back_the_rest(mill: Mill, how: str) -> None:
    with mill.worker(prefetch=5) as worker:
        children = worker.children
        ids = mill.submit_many("nap", [(mill.file, 2.0)] * 30)
        mill.begun(20)
        until(lambda: mill.client.zcard("rq:wip:default") == 25, 5, "five are held beside what runs")
        began = monotonic()
        if how == "signal":
            worker.signal(signal.SIGTERM)
        else:
            send_shutdown_command(mill.client, worker.name)
        assert worker.wait(10) == 0
        assert monotonic() - began < within(6)
        states = [mill.state(id) for id in ids]
        assert sorted(states) == ["finished"] * 20 + ["queued"] * 10
        queued = [id for id in ids if mill.state(id) == "queued"]
        assert [id.decode() for id in mill.client.lrange("rq:queue:default", 0, -1)] == queued  # type: ignore[union-attr]
        assert all("attempt" not in mill.job(id) and "deaths" not in mill.job(id) for id in queued)
        assert not any(exists(pid) for pid in children)
        gone(mill, worker)


def test_beyond_the_grace_jobs_are_killed_and_run_again_uncounted(mill: Mill) -> None:
    with mill.worker(grace_s=1) as worker:
        ids = mill.submit_many("nap", [(mill.file, 30.0), (mill.file, 0.5), (mill.file, 30.0)])
        mill.begun(3)
        began = monotonic()
        assert worker.stop(8) == 0
        assert 1 <= monotonic() - began < within(5)
        assert [mill.state(id) for id in ids] == ["queued", "finished", "queued"]
        assert mill.outcome(ids[0])["code"] == "worker_stopped"
        assert "deaths" not in mill.job(ids[0])
        gone(mill, worker)


def test_a_second_signal_ends_at_once(mill: Mill, worker: Worker) -> None:
    id = mill.submit("nap", mill.file, 30.0)
    mill.begun(1)
    worker.signal(signal.SIGINT)
    until(lambda: "worker_draining" in worker.events(), 5, "it drains")
    worker.signal(signal.SIGINT)
    assert worker.wait(5) == 0
    assert mill.state(id) == "queued"
    gone(mill, worker)


def test_it_stays_alive_to_keepers_while_it_drains(mill: Mill, worker: Worker) -> None:
    mill.submit("nap", mill.file, 6.0)
    mill.begun(1)
    before = int(mill.client.hget("mp:beats", worker.name) or 0)
    worker.signal(signal.SIGTERM)
    until(lambda: int(mill.client.hget("mp:beats", worker.name) or 0) >= before + 8, 6, "it goes on beating")
    assert worker.wait(10) == 0


def test_a_worker_without_redis_ends_all_the_same(mill: Mill, worker: Worker) -> None:
    other = mill.worker(url="redis://127.0.0.1:1/0").launch()
    try:
        until(lambda: "redis_unreachable" in other.events(), 10, "it tries")
        assert other.stop(10) == 0
    finally:
        other.close()


def test_kill_horse_replaces_the_child(mill: Mill, worker: Worker, tmp_path: Path) -> None:
    child = worker.children[0]
    id = mill.submit("stay", mill.file, str(tmp_path / "gate"))
    mill.begun(1)
    send_kill_horse_command(mill.client, worker.name)
    until(lambda: not exists(child), 5, "it is killed")
    (tmp_path / "gate").touch()
    assert mill.result(id) != child
    assert mill.job(id)["attempt"] == "2"
