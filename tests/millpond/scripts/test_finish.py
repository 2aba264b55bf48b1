"""finish: ends executions, fenced; the outcome has its one copy in the hash until a collector recorded it."""

import json
from itertools import permutations
from typing import Any

import pytest

from millpond import keys, moves
from millpond.times import from_ms, to_rq
from tests.millpond.scripts.pond import Child, Pond, ms, outcome


@pytest.fixture
def child(pond: Pond) -> Child:
    return pond.hire()


def begin(pond: Pond, child: Child, **options: Any) -> moves.Claimed:
    """One job, claimed and started."""
    pond.submit(**options)
    (job,) = child.work()
    return job


def test_an_outcome_is_in_the_hash_the_registry_and_an_event(pond: Pond, child: Child) -> None:
    job = begin(pond, child)
    assert child.end(job, body=b'{"result":41}', run_ms=1500) == "done"
    now = pond.job(job.id)
    assert (now["state"], now["status"], now["version"], now["last"]) == ("finished", "finished", "3", "o:1:1")
    assert now["attempt"] == "1"
    assert "failures" not in now
    noted = json.loads(now["o:1:1"])
    assert {name: noted[name] for name in ("status", "code", "worker", "execution", "body")} == {
        "status": "finished",
        "code": "",
        "worker": "w1",
        "execution": job.execution,
        "body": {"result": 41},
    }
    assert (noted["ended_ms"], noted["ended_ms"] - noted["started_ms"]) == (ms(now["ended_at"]), 1500)
    assert ms(now["started_at"]) == noted["started_ms"]
    assert not {"wish", "waiters", "watchers"} & set(now)
    assert pond.ask("ZSCORE", "rq:finished:default", job.id) == float("inf")
    assert pond.events()[-1] == (job.id, 3, "ended")
    assert pond.open() == {job.id}
    assert pond.strange_keys() == []


def test_no_trace_of_the_execution_is_left(pond: Pond, child: Child) -> None:
    job = begin(pond, child)
    child.end(job)
    assert pond.leases() == set()
    for name in ("rq:wip:default", f"rq:executions:{job.id}", f"rq:execution:{job.id}:{job.execution}", "rq:worker:w1:executions"):
        assert pond.ask("EXISTS", name) == 0, name
    assert pond.ask("HGET", "rq:worker:w1", "state") == b"idle"


def test_rq_s_counts_of_the_worker(pond: Pond, child: Child) -> None:
    child.end(begin(pond, child), run_ms=1500)
    child.end(begin(pond, child), "failed", run_ms=250)
    display = pond.ask("HGETALL", "rq:worker:w1")
    assert (display[b"successful_job_count"], display[b"failed_job_count"], float(display[b"total_working_time"])) == (b"1", b"1", 1.75)


def test_sending_it_again_is_answered_done_and_changes_nothing(pond: Pond, child: Child) -> None:
    jobs = [begin(pond, child), begin(pond, child, fields={"max_attempts": 2})]
    outcomes = [outcome(jobs[0]), outcome(jobs[1], "failed", retry_ms=60_000)]
    assert child.finish(*outcomes) == ["done", "done"]
    before = pond.dump()
    assert child.finish(*outcomes) == ["done", "done"]
    assert pond.dump() == before


def test_another_execution_s_is_stale_and_changes_nothing(pond: Pond, child: Child) -> None:
    old = begin(pond, child)
    pond.bury("w1")
    pond.run(moves.take_back("w1"))
    new_child = pond.hire("w2")
    (new,) = new_child.work()
    before = pond.dump()
    assert child.end(old) == "stale"
    assert pond.dump() == before
    assert new_child.end(new) == "done"
    assert child.end(old) == "stale"
    noted = [json.loads(value)["execution"] for name, value in sorted(pond.job(old.id).items()) if name.startswith("o:")]
    assert noted == [old.execution, new.execution]


def test_a_failure_with_an_attempt_left_is_scheduled(pond: Pond, child: Child) -> None:
    job = begin(pond, child, fields={"max_attempts": 2})
    assert child.end(job, "failed", retry_ms=5000) == "done"
    now = pond.job(job.id)
    assert (now["state"], now["status"], now["failures"], now["attempt"]) == ("scheduled", "scheduled", "1", "1")
    assert int(now["run_at_ms"]) - int(json.loads(now["o:1:1"])["ended_ms"]) == 5000
    assert pond.ask("ZSCORE", "rq:scheduled:default", job.id) == int(now["run_at_ms"]) / 1000
    assert pond.kinds(job.id) == ["accepted", "scheduled"]
    assert pond.ask("EXISTS", "rq:failed:default") == 0


def test_the_last_failure_ends_it(pond: Pond, child: Child) -> None:
    job = begin(pond, child, fields={"max_attempts": 2})
    child.end(job, "failed", retry_ms=0)
    pond.run(moves.promote())
    (job,) = child.work()
    child.end(job, "failed", retry_ms=0)
    now = pond.job(job.id)
    assert (now["state"], now["error_code"], now["failures"], now["attempt"], now["last"]) == ("failed", "task_error", "2", "2", "o:1:2")
    assert {"o:1:1", "o:1:2"} <= set(now)
    assert pond.ask("ZSCORE", "rq:failed:default", job.id) == float("inf")


@pytest.mark.parametrize(("wish", "expires", "state"), [("cancel", 0, "canceled"), ("stop", 0, "stopped"), ("", 1, "expired")])
def test_a_wish_or_a_deadline_comes_before_a_retry(pond: Pond, child: Child, wish: str, expires: int, state: str) -> None:
    job = begin(pond, child, fields={"max_attempts": 5})
    if wish:
        pond.ask("HSET", keys.job(job.id), "wish", wish)
    if expires:
        pond.ask("HSET", keys.job(job.id), "expires_ms", expires)
    child.end(job, "failed", retry_ms=0)
    assert pond.job(job.id)["state"] == state


def test_rerun_never_is_not_tried_again(pond: Pond, child: Child) -> None:
    job = begin(pond, child, fields={"max_attempts": 5, "rerun": "never"})
    child.end(job, "failed", retry_ms=0)
    assert pond.job(job.id)["state"] == "failed"


def test_what_is_not_charged_leaves_the_failures(pond: Pond, child: Child) -> None:
    job = begin(pond, child)
    child.end(job, "failed", charged=False, code="result_not_json")
    assert pond.job(job.id)["state"] == "failed"
    assert "failures" not in pond.job(job.id)


def test_never_begun_has_an_outcome_and_no_attempt(pond: Pond, child: Child) -> None:
    pond.submit()
    (job,) = child.claim()
    assert child.end(job, "failed", code="unknown_task", ran=False, charged=False) == "done"
    now = pond.job(job.id)
    assert (now["state"], now["error_code"], now["last"]) == ("failed", "unknown_task", "o:1:0")
    assert "attempt" not in now


def test_a_start_that_was_lost_is_counted_by_the_finish(pond: Pond, child: Child) -> None:
    pond.submit(fields={"max_attempts": 3})
    (job,) = child.work()
    child.end(job, "failed", retry_ms=0)
    pond.ask("HSET", keys.job(job.id), "started_at", to_rq(from_ms(1)))
    pond.run(moves.promote())
    (job,) = child.claim()
    child.end(job, run_ms=2000)
    now = pond.job(job.id)
    assert (now["attempt"], now["last"]) == ("2", "o:1:2")
    assert ms(now["ended_at"]) - json.loads(now["o:1:2"])["started_ms"] == 2000  # its own, not the first attempt's


def test_of_a_deleted_job_it_is_gone_and_the_collector_hears(pond: Pond, child: Child) -> None:
    job = begin(pond, child)
    pond.ask("DEL", keys.job(job.id))
    assert child.end(job) == "gone"
    assert pond.kinds(job.id) == ["accepted", "gone"]
    assert pond.leases() == set()
    assert pond.ask("EXISTS", "rq:wip:default", "rq:worker:w1:executions", f"rq:execution:{job.id}:{job.execution}") == 0
    assert pond.ask("HGET", "rq:worker:w1", "state") == b"idle"


def test_of_a_corrupt_job_it_is_gone_and_set_aside(pond: Pond, child: Child) -> None:
    job = begin(pond, child)
    pond.ask("DEL", keys.job(job.id))
    pond.ask("SET", keys.job(job.id), "x")
    assert child.end(job) == "gone"
    assert pond.ask("HEXISTS", keys.QUARANTINE, job.id)
    assert pond.kinds(job.id)[-1] == "corrupt"


def test_a_key_it_cannot_use_is_named_and_nothing_written(pond: Pond, child: Child) -> None:
    job, good = begin(pond, child, queue="default", fields={"max_attempts": 2}), begin(pond, child)
    pond.ask("SET", "rq:scheduled:default", "x")
    before = pond.job(job.id)
    assert child.finish(outcome(job, "failed", retry_ms=0), outcome(good)) == ["error:rq:scheduled:default", "done"]
    assert pond.job(job.id) == before
    pond.ask("DEL", "rq:scheduled:default")
    assert child.end(job, "failed", retry_ms=0) == "done"


def test_waiters_are_told_once_at_the_end(pond: Pond, child: Child) -> None:
    job = begin(pond, child, fields={"max_attempts": 2})
    listener = pond.client.pubsub()
    listener.subscribe("mp:ended:a", "mp:ended:b")
    for channel in ("mp:ended:a", "mp:ended:b", "mp:ended:a"):
        pond.run(moves.listen(job.id, channel))
    child.end(job, "failed", retry_ms=0)
    pond.run(moves.promote())
    child.end(child.work()[0])
    heard = []
    while message := listener.get_message(ignore_subscribe_messages=False, timeout=0.2):
        heard += [(message["channel"], message["data"])] if message["type"] == "message" else []
    assert sorted(heard) == [(b"mp:ended:a", job.id.encode()), (b"mp:ended:b", job.id.encode())]
    listener.close()


def test_of_an_adopted_job_rq_finds_the_result(pond: Pond, child: Child) -> None:
    pond.ask("HSET", "rq:job:stock", "status", "queued", "origin", "default", "data", "x")
    pond.ask("RPUSH", "rq:queue:default", "stock")
    (job,) = child.work()
    child.end(job, task="sleep", rq_result=b"NDI=")
    ((_, entry),) = pond.ask("XRANGE", "rq:results:stock", "-", "+")
    assert (entry[b"type"], entry[b"return_value"], entry[b"worker_name"]) == (b"1", b"NDI=", b"w1")
    assert pond.job("stock")["task"] == "sleep"


def test_dependents_are_told_of_also_when_the_first_answer_was_lost(pond: Pond, child: Child) -> None:
    pond.ask("HSET", "rq:job:stock", "status", "queued", "origin", "default", "data", "x")
    pond.ask("RPUSH", "rq:queue:default", "stock")
    pond.ask("SADD", "rq:job:stock:dependents", "later")
    (job,) = child.work()
    assert child.end(job) == "dependents"
    assert child.end(job) == "dependents"
    pond.ask("DEL", "rq:job:stock:dependents")
    assert child.end(job) == "done"


@pytest.mark.parametrize("order", list(permutations(("good", "stale", "gone", "corrupt"))))
def test_each_item_has_its_answer_in_order(pond: Pond, child: Child, order: tuple[str, ...]) -> None:
    pond.submit(4)
    named = dict(zip(("good", "stale", "gone", "corrupt"), child.work(), strict=True))
    pond.ask("HSET", keys.job(named["stale"].id), "execution", "another")
    pond.ask("DEL", keys.job(named["gone"].id), keys.job(named["corrupt"].id))
    pond.ask("RPUSH", keys.job(named["corrupt"].id), "x")
    answers = child.finish(*(outcome(named[kind]) for kind in order))
    expected = {"good": "done", "stale": "stale", "gone": "gone", "corrupt": "gone"}
    assert answers == [expected[kind] for kind in order]
