"""What jobs say: each line in the log of its own job, while it runs and to its last word, and nobody hindered by a flood."""

from time import monotonic

import pytest

from millpond import joblog
from millpond.joblog import Line
from tests.pace import within
from tests.until import until
from tests.worker.mill import Mill, Worker

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
def mill(steady_mill: Mill) -> Mill:
    """No test here breaks anything but a child: one worker serves all."""
    return steady_mill


@pytest.fixture(scope="module")
def worker(steady_worker: Worker) -> Worker:
    return steady_worker


def lines(mill: Mill, id: str, attempt: int = 1) -> list[Line]:
    """The log of an attempt, as Redis has it."""
    hash = {name: value.encode() for name, value in mill.job(id).items()}
    return list(joblog.lines(joblog.texts(joblog.pieces(hash)).get((1, attempt), "")))


def said(mill: Mill, id: str) -> list[tuple[str, str]]:
    return [(line.level, line.text) for line in lines(mill, id)]


def test_every_way_to_say_a_line_and_none_is_missing_at_the_end(mill: Mill, worker: Worker) -> None:
    id = mill.submit("talk", mill.file, 0.0)
    mill.wait(id)
    expected = [("stdout", "printed"), ("stderr", "wrong"), ("warning", "logged 1"), ("error", "said"), ("stdout", "last")]
    assert said(mill, id) == expected
    told = [line for line in worker.lines() if line.get("job_id") == id]
    assert [line.get("text", line["event"]) for line in told] == ["printed", "wrong", "logged 1", "said"]
    assert {line["attempt"] for line in told} == {1}
    assert [line["level"] for line in told] == ["info", "info", "warning", "error"]


def test_a_line_is_seen_while_its_job_runs(mill: Mill) -> None:
    id = mill.submit("talk", mill.file, 2.0)
    until(lambda: len(said(mill, id)) == 4, 1.5, "its lines are in Redis", every_s=0.005)
    assert mill.state(id) == "started"
    mill.wait(id)
    last = lines(mill, id)[-1]
    assert (last.number, last.text) == (5, "last")
    assert 2000 <= last.ms < within(3000)


def test_coroutines_on_one_loop_keep_their_lines_apart(mill: Mill) -> None:
    ids = mill.submit_many("talk_on_loop", [(0.1,)] * 10)
    for id in ids:
        mill.wait(id)
        assert said(mill, id) == [("stdout", id), ("info", id)]


def test_a_flood_is_cut_counted_and_hinders_nobody(mill: Mill, worker: Worker, full: bool) -> None:
    count = 1_000_000 if full else 20_000
    began = monotonic()
    flood = mill.submit("flood", count)
    siblings = mill.submit_many("chatter", [(5, 0.05)] * 10)
    for id in siblings:
        mill.wait(id)
        assert said(mill, id) == [("stdout", str(number)) for number in range(5)]
    assert monotonic() - began < within(2.5)
    mill.wait(flood, timeout_s=60)
    log = lines(mill, flood)
    assert [line.text for line in log[:1000]] == [f"{number} {'x' * 20}" for number in range(1000)]
    assert [(line.number, line.level) for line in log[1000:]] == [(1001, "cut"), (1002, "cut")]
    assert log[-1].text == f"{count - 1000} lines are missing."
    assert len([line for line in worker.lines() if line.get("job_id") == flood]) == 1000


def test_what_was_said_before_a_death_is_kept_with_its_attempt(mill: Mill) -> None:
    id = mill.submit("say_and_die")
    until(lambda: "o:1:1" in mill.job(id), 10, "its first attempt is over")
    assert [line.text for line in lines(mill, id)] == ["my last word"]
    until(lambda: mill.state(id) != "started" or mill.job(id)["attempt"] != "1", 10)
    mill.client.hset(f"rq:job:{id}", "wish", "cancel")
    mill.wait(id, "canceled", "failed", timeout_s=20)


@pytest.mark.parametrize("pool", ["process", "gevent"])
def test_runners_relay_what_is_said_in_them(mill: Mill, pool: str) -> None:
    with mill.worker(pool=pool, concurrency=2, queues="apart", max_log_lines=3):
        talk, flood = mill.submit("talk", mill.file, 0.0, queue="apart"), mill.submit("flood", 1000, queue="apart")
        mill.wait(talk, timeout_s=20)
        mill.wait(flood, timeout_s=20)
    expected = [("stdout", "printed"), ("stderr", "wrong"), ("warning", "logged 1")]
    assert said(mill, talk)[:3] == expected
    assert [level for level, _ in said(mill, talk)[3:]] == ["cut", "cut"]
    assert [text for _, text in said(mill, flood)][-1] == "997 lines are missing."
