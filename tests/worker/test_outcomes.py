"""What a job's end says, whatever its function did; and that no job ends a worker."""

from functools import partial
from time import monotonic

import pytest

from tests.pace import within
from tests.until import until
from tests.worker.mill import Keeper, Mill, Worker

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(scope="module")
def mill(steady_mill: Mill) -> Mill:
    """No test here breaks anything: one worker serves all."""
    return steady_mill


@pytest.fixture(scope="module")
def worker(steady_worker: Worker) -> Worker:
    return steady_worker


def test_a_function_returns(mill: Mill) -> None:
    assert mill.result(mill.submit("echo", {"a": [1, None, "ü"]})) == {"a": [1, None, "ü"]}


def test_a_coroutine_returns_and_knows_its_job(mill: Mill) -> None:
    ids = [mill.submit("doze", mill.file, 0.2) for _ in range(15)]
    assert [mill.result(id) for id in ids] == ids
    assert len(mill.begun(15)) >= 15


def test_a_function_raises(mill: Mill) -> None:
    id = mill.submit("fail")
    error = mill.error(id)
    assert error["code"] == "task_error"
    assert error["message"].startswith("ValueError: not \ufffd today ?!!!")
    assert len(error["message"]) == 2_000
    assert "chores.py" in error["traceback"]
    assert "pool_thread" not in error["traceback"]
    assert mill.job(id)["failures"] == "1"


@pytest.mark.parametrize("kind", ["SystemExit", "KeyboardInterrupt", "GeneratorExit", "RecursionError", "MemoryError", "unprintable"])
def test_no_exception_ends_a_worker(mill: Mill, worker: Worker, kind: str) -> None:
    child = worker.children
    assert mill.error(mill.submit("throw", kind))["code"] == "task_error"
    assert worker.children == child
    assert mill.result(mill.submit("echo", 1)) == 1


@pytest.mark.parametrize(("kind", "attempts"), [("OSError", 3), ("ConnectionResetError", 1), ("ValueError", 1), ("TimeoutError", 3)])
def test_the_task_says_which_exceptions_are_tried_again(mill: Mill, kind: str, attempts: int) -> None:
    with Keeper(mill.url):
        id = mill.submit("choosy", mill.file, kind, max_attempts=3, backoff_ms=1, timeout_ms=100)
        error = mill.error(id)
    assert error["code"] == ("timeout" if kind == "TimeoutError" else "task_error")
    assert (mill.job(id)["attempt"], mill.job(id)["failures"]) == (str(attempts), str(attempts))


def test_an_exit_in_a_stray_coroutine_ends_nothing(mill: Mill, worker: Worker) -> None:
    child = worker.children
    mill.wait(mill.submit("orphan_exit"), "finished", "failed")
    assert mill.result(mill.submit("doze", mill.file, 0.0))
    assert worker.children == child


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("set", "result_not_json"),
        ("nan", "result_not_json"),
        ("nul", "result_not_json"),
        ("surrogate", "result_not_json"),
        ("deep", "result_not_json"),
        ("big", "result_too_large"),
    ],
)
def test_what_is_no_result_fails_by_its_own_code(mill: Mill, what: str, code: str) -> None:
    id = mill.submit("give", what, max_attempts=3)
    assert mill.error(id)["code"] == code
    assert mill.job(id)["attempt"] == "1"  # another attempt would return the same


def test_a_wrong_call_fails(mill: Mill) -> None:
    assert "TypeError" in mill.error(mill.submit("noop", 1, 2, 3))["message"]


def test_an_unknown_task_is_not_begun(mill: Mill) -> None:
    id = mill.submit("nobody_wrote_this")
    assert mill.error(id)["code"] == "unknown_task"
    assert mill.job(id).get("attempt", "0") == "0"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1,2]", b'["echo",null,[],', b"\x78\x9c\xff", b'["echo","x",[],{}]'])
def test_a_payload_that_cannot_be_read_is_not_begun(mill: Mill, data: bytes) -> None:
    with_pause = mill.client.sadd("mp:paused", "default")
    id = mill.submit("echo")
    mill.client.hset(f"rq:job:{id}", "data", data)
    mill.client.srem("mp:paused", "default")
    assert with_pause
    assert mill.error(id)["code"] == "undecodable"
    assert mill.job(id).get("attempt", "0") == "0"


def test_a_job_knows_itself(mill: Mill) -> None:
    id = mill.submit("about", tags='{"a":"b"}', owner="me", timeout_ms=30_000)
    found = mill.result(id)
    assert 29 < found.pop("remaining_s") <= 30
    assert found == {"id": id, "attempt": 1, "run": 1, "owner": "me", "tags": {"a": "b"}}


def test_progress_is_shown_while_it_runs_and_to_its_end(mill: Mill) -> None:
    id = mill.submit("tell", mill.file, 2.0)
    until(lambda: mill.job(id).get("progress") == '{"fraction":0.25,"message":"begun \ufffd"}', 3, "its progress is shown")
    assert mill.state(id) == "started"
    assert mill.wait(id)["progress"] == '{"fraction":1,"message":""}'


def test_an_idle_child_is_woken_at_once(mill: Mill) -> None:
    mill.result(mill.submit("echo", 0))
    taken = []

    def finished(id: str) -> bool:
        return mill.state(id) == "finished"

    for number in range(11):
        until(lambda: mill.client.scard("mp:idle:default"), 5, "the child sleeps")
        began = monotonic()
        id = mill.submit("echo", number)
        until(partial(finished, id), 5, "it ran", every_s=0.001)
        taken.append(monotonic() - began)
    assert sorted(taken)[5] < within(0.05)
