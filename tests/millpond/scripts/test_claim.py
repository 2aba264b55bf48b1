"""claim: pops ids in queue order and leases what is queued; drops what is not; answers the jobs' data."""

from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond import keys, moves
from tests.millpond.scripts.pond import STEADY, Pond, new_id, submission


def test_a_lease_is_in_the_hash_the_leases_and_rq_s_displays(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    now, member = pond.job(id), f"{id}:{job.execution}"
    assert job.id == id
    assert {name: now[name] for name in ("state", "status", "version", "lease", "worker_name", "execution")} == {
        "state": "started",
        "status": "started",
        "version": "2",
        "lease": "w1:1",
        "worker_name": "w1",
        "execution": job.execution,
    }
    assert "attempt" not in now
    assert "mark" not in now
    assert pond.leases() == {member}
    assert pond.ask("ZSCORE", "rq:wip:default", member) == float("inf")
    assert pond.ask("HGET", "rq:worker:w1", "state") == b"busy"
    assert pond.open() == {id}
    assert pond.queued() == []
    assert pond.strange_keys() == []


def test_it_answers_what_a_worker_needs_of_the_hash(pond: Pond) -> None:
    (id,) = pond.submit(fields={"tags": '{"a":"b"}'})
    (job,) = pond.hire().claim()
    assert {"data", "tags", "timeout_ms"} <= set(job.hash) <= set(pond.job(id)) - {"state", "lease", "description"}
    assert {name: value.decode() for name, value in job.hash.items()}.items() <= pond.job(id).items()
    assert job.hash["data"] == b'["sleep",null,[1],{}]'
    assert job.number("attempt") == 0


def test_each_of_many_jobs_has_its_own_fields(pond: Pond) -> None:
    given = [{"rerun": "never"}, {"tags": "{}", "max_attempts": "3"}, {}, {"id": "x", "key": "y", "left_ms": "7"}]
    ids = [pond.submit(fields=dict(fields))[0] for fields in given]
    jobs = pond.hire().claim()
    assert [job.id for job in jobs] == ids
    names = {name for fields in given for name in fields}
    assert [{name: job.hash[name].decode() for name in names & set(job.hash)} for job in jobs] == given


def test_earlier_outcomes_are_not_sent_along(pond: Pond) -> None:
    pond.submit(fields={"max_attempts": 3})
    child = pond.hire()
    child.end(child.work()[0], "failed", retry_ms=0)
    pond.run(moves.promote())
    (job,) = child.claim()
    assert not [name for name in job.hash if name.startswith("o:")]
    assert job.number("attempt") == 1
    assert "o:1:1" in pond.job(job.id)


def test_queues_in_their_order_and_no_more_than_slots(pond: Pond) -> None:
    low, high = pond.submit(2, queue="low"), pond.submit(2, queue="high")
    child = pond.hire(queues=["high", "low"])
    assert [job.id for job in child.claim(3)] == [*high, low[0]]
    assert [job.id for job in child.claim(3)] == [low[1]]
    assert child.claim(3) == []


@pytest.mark.parametrize(("fair", "first"), [(False, "high"), (True, "low")])
def test_a_fair_claim_begins_with_the_queue_whose_head_has_waited_longest(pond: Pond, fair: bool, first: str) -> None:
    ids = {queue: pond.submit(2, queue=queue)[0] for queue in ("high", "middle", "paused", "low")}
    for queue, waited_ms in {"high": 600, "middle": 700, "paused": 900, "low": 800}.items():
        pond.ask("HSET", keys.job(ids[queue]), "enqueued_ms", pond.now() - waited_ms)
    pond.run(moves.pause("paused"))
    pond.hire(queues=list(ids))
    (job,) = pond.run(moves.claim("w1", 1, 1, list(ids), fair=fair)).jobs
    assert job.id == ids[first]


def test_a_fair_claim_keeps_the_order_while_nothing_waits_for_long(pond: Pond) -> None:
    low, high = pond.submit(queue="low"), pond.submit(queue="high")
    pond.hire(queues=["high", "low"])
    claim = pond.run(moves.claim("w1", 1, 2, ["high", "low"], fair=True))
    assert [job.id for job in claim.jobs] == [*high, *low]


def test_executions_are_unique(pond: Pond) -> None:
    pond.submit(40)
    one, two = pond.hire("w1"), pond.hire("w2")
    jobs = [job for _ in range(5) for job in (*one.claim(4), *two.claim(4))]
    assert len({job.execution for job in jobs}) == 40


@pytest.mark.parametrize("command", [("SET", "x"), ("SET", "9223372036854775807"), ("RPUSH", "x")])
def test_a_broken_counter_of_executions_is_begun_anew(pond: Pond, command: tuple[str, str]) -> None:
    pond.ask(command[0], keys.EXECUTION, command[1])
    pond.submit(3)
    assert len({job.execution for job in pond.hire().claim()}) == 3
    assert pond.ask("GET", keys.EXECUTION) == b"3"


def test_it_needs_the_worker_listed_its_generation_live_and_its_liveness(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    before = pond.dump()
    assert pond.run(moves.claim("w2", 1, 1, ["default"])).answer == "retired"
    assert pond.run(moves.claim("w1", 2, 1, ["default"])).answer == "retired"
    assert pond.dump() == before
    pond.ask("DEL", keys.named("ALIVE", "w1"))
    assert child.try_claim() == "not_alive"
    pond.run(moves.heartbeat("w1"))
    child.hand_back("retire", "died")
    assert child.try_claim() == "retired"
    assert len(pond.queued()) == 1


def test_a_retired_generation_is_told_so_though_its_worker_is_not_alive(pond: Pond) -> None:
    child = pond.hire()
    child.hand_back("retire", "died")
    pond.ask("DEL", keys.named("ALIVE", "w1"))
    assert child.try_claim() == "retired"


def test_a_paused_queue_is_left_out(pond: Pond) -> None:
    pond.submit(queue="a")
    (id,) = pond.submit(queue="b")
    pond.run(moves.pause("a"))
    assert [job.id for job in pond.hire(queues=["a", "b"]).claim()] == [id]


def test_a_suspended_rq_gives_nothing(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    pond.ask("SET", keys.RQ_SUSPENDED, "1")
    assert child.claim() == []
    assert pond.ask("EXISTS", keys.named("IDLE", "default")) == 0
    pond.ask("DEL", keys.RQ_SUSPENDED)
    assert len(child.claim()) == 1


def test_who_has_a_slot_free_is_idle_until_the_next_claim(pond: Pond) -> None:
    child, idle = pond.hire(queues=["a", "b"]), [keys.named("IDLE", queue) for queue in ("a", "b")]
    child.claim()
    assert [pond.ask("SMEMBERS", key) for key in idle] == [{b"w1:1"}, {b"w1:1"}]
    pond.submit(2, queue="a")
    assert len(child.claim(2)) == 2
    assert pond.ask("EXISTS", *idle) == 0
    pond.submit(queue="b")
    assert len(child.claim(2)) == 1
    assert [pond.ask("SMEMBERS", key) for key in idle] == [{b"w1:1"}, {b"w1:1"}]


def test_nothing_is_claimed_ahead_where_somebody_else_is_idle(pond: Pond) -> None:
    busy, sleeper = pond.hire(), pond.hire("w2", queues=("emails", "default"))
    sleeper.claim()
    pond.submit(9)

    def claimed(ahead: int) -> int:
        return len(pond.run(moves.claim("w1", 1, 2, busy.queues, ahead=ahead)).jobs)

    assert claimed(ahead=3) == 2
    sleeper.claim(1)
    assert claimed(ahead=3) == 5
    assert pond.ask("LLEN", keys.queue("default")) == 1


def test_who_got_less_ahead_than_it_wanted_is_not_idle(pond: Pond) -> None:
    pond.hire()
    pond.submit(3)
    assert len(pond.run(moves.claim("w1", 1, 2, ["default"], ahead=5)).jobs) == 3
    assert pond.run(moves.claim("w1", 1, 0, ["default"], ahead=5)).jobs == []
    assert pond.ask("EXISTS", keys.named("IDLE", "default")) == 0


def test_alone_takes_only_what_waits_to_run_alone(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    assert child.claim(alone=True) == []
    assert pond.ask("EXISTS", keys.named("IDLE", "default")) == 0
    (job,) = child.claim()
    pond.ask("HSET", keys.job(job.id), "deaths", 2)
    child.end(job, "failed", retry_ms=0, charged=False)
    pond.run(moves.promote())
    assert pond.queued(place="ALONE") == [job.id]
    assert child.claim() == []
    assert [one.id for one in child.claim(1, alone=True)] == [job.id]


@pytest.mark.parametrize("status", ["canceled", "stopped"])
def test_a_cancel_of_rq_s_is_made_ours(pond: Pond, status: str) -> None:
    (id,) = pond.submit()
    pond.ask("HSET", keys.job(id), "status", status)
    assert pond.hire().claim() == []
    job = pond.job(id)
    assert (job["state"], job["status"], job["reason"], job["version"]) == (status, status, "by_rq", "2")
    assert pond.kinds(id) == ["accepted", "ended"]


def test_a_requeue_of_rq_s_is_a_new_run(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], "failed")
    pond.run(moves.recorded([moves.Committed(id, pond.version(id), ["o:1:1"])]))
    assert pond.open() == set()
    pond.ask("HSET", keys.job(id), "status", "queued")
    pond.ask("RPUSH", "rq:queue:default", id)
    (job,) = child.claim()
    assert (job.number("run"), job.number("attempt"), job.number("failures")) == (2, 0, 0)
    assert pond.open() == {id}
    assert pond.kinds(id)[-1] == "requeued"
    assert pond.ask("ZSCORE", keys.named("KEPT", "default"), id) is None


def test_what_ran_out_while_it_waited_ends_expired(pond: Pond) -> None:
    (id,) = pond.submit(expires_in_ms=60_000)
    pond.ask("HSET", keys.job(id), "expires_ms", 1)
    assert pond.hire().claim() == []
    job = pond.job(id)
    assert (job["state"], job["status"], job["reason"]) == ("expired", "canceled", "expired")


def test_an_id_that_a_stock_producer_chose_never_has_a_run_twice(pond: Pond) -> None:
    """Put anew after it was requeued and forgotten, it goes on where its record ends; an id of RQ's own making counts for itself."""
    child, runs, versions = pond.hire(), [], []
    for id in ("nightly", str(uuid4())):
        for _ in range(2):
            pond.ask("HSET", keys.job(id), "status", "queued", "origin", "default", "data", b'["sleep",null,[],{}]')
            for _ in range(2):
                pond.ask("HSET", keys.job(id), "status", "queued")
                pond.ask("RPUSH", keys.queue("default"), id)
                (job,) = child.work()
                runs.append(job.number("run"))
                versions.append(pond.version(id))
                child.end(job, "failed")
            pond.ask("DEL", keys.job(id))
    assert runs == [1, 2, 3, 4, 1, 2, 1, 2]
    assert versions[:4] == sorted(set(versions[:4]))
    assert versions[4] == versions[6]
    assert pond.ask("KEYS", "mp:runs:*") == [b"mp:runs:nightly"]


def test_a_stock_job_is_adopted(pond: Pond) -> None:
    pond.ask("HSET", "rq:job:stock", "status", "queued", "origin", "default", "data", "x", "timeout", "33", "created_at", "y")
    pond.ask("EXPIRE", "rq:job:stock", 100)
    pond.ask("RPUSH", "rq:queue:default", "stock")
    (job,) = pond.hire().claim()
    assert (job.id, job.number("timeout_ms"), job.number("run"), job.hash["adopted"]) == ("stock", 33_000, 1, b"1")
    assert pond.open() == {"stock"}
    assert pond.kinds("stock") == ["accepted"]
    assert pond.ask("TTL", "rq:job:stock") == -1


@pytest.mark.parametrize("status", ["deferred", "started", "finished", "canceled", "rate_limited", "ready_to_enqueue"])
def test_a_stock_job_that_does_not_wait_is_not_ours(pond: Pond, status: str) -> None:
    pond.ask("HSET", "rq:job:stock", "status", status, "origin", "default", "data", "x")
    pond.ask("RPUSH", "rq:queue:default", "stock")
    before = pond.dump("rq:queue:default")
    child = pond.hire()
    assert child.claim() == []
    assert pond.dump()["rq:job:stock"] == before["rq:job:stock"]
    assert pond.open() == set()


def test_an_unusable_quarantine_keeps_no_job_from_running(pond: Pond) -> None:
    pond.ask("SET", keys.QUARANTINE, "x")
    pond.submit()
    assert len(pond.hire().claim()) == 1


def test_a_corrupt_hash_is_set_aside(pond: Pond) -> None:
    pond.ask("HSET", "rq:job:bad", "status", "no word of RQ's", "origin", "default")
    pond.ask("RPUSH", "rq:queue:default", "bad")
    (id,) = pond.submit()
    assert [job.id for job in pond.hire().claim()] == [id]
    assert b'"reason":"corrupt"' in pond.ask("HGET", keys.QUARANTINE, "bad")


numbers = st.sampled_from(["", "1", "-1", "0", "1.5", "x", "nan", "inf", "-inf", "0x10", "1e3", "9" * 30])
names = ["version", "run", "attempt", "deaths", "expires_ms", "enqueued_ms", "state", "status", "origin", "place", "wish", "timeout"]
fields = st.dictionaries(
    st.sampled_from(names),
    numbers | st.sampled_from(["queued", "started", "canceled", "default", "other", "queue", "alone"]),
    max_size=4,
)


@given(damage=fields)
@settings(STEADY, max_examples=300)
def test_whatever_a_hash_says_the_others_are_claimed_and_it_is_not_lost(pond: Pond, damage: dict[str, str]) -> None:
    pond.client.flushall()
    first, bad, last = pond.submit(), new_id(), new_id()
    pond.run(moves.submit([submission(bad), submission(last)], 24))
    for name, value in damage.items():
        pond.ask("HSET", keys.job(bad), name, value)
    child = pond.hire()
    assert {job.id for job in child.claim()} - {bad} == {*first, last}
    assert bad in pond.open()
    assert pond.run(moves.cancel(bad)).answer in ("ok", "wish", "conflict", "version", "error")
    child.hand_back("retire", "died")
    pond.run(moves.reconcile(0, 1000))
    assert pond.strange_keys() == []


found = st.lists(st.sampled_from(["queued", "twice", "canceled", "gone", "scheduled", "elsewhere"]), max_size=12)


@given(drawn=found, slots=st.integers(1, 12))
@settings(STEADY, max_examples=60)
def test_it_leases_what_is_queued_in_order_and_drops_the_rest(pond: Pond, drawn: list[str], slots: int) -> None:
    pond.client.flushall()
    expected = []
    for kind in drawn:
        (id,) = pond.submit()
        if kind == "twice":
            pond.ask("RPUSH", "rq:queue:default", id)
        elif kind == "canceled":
            pond.run(moves.cancel(id))
            pond.ask("RPUSH", "rq:queue:default", id)
        elif kind == "gone":
            pond.ask("DEL", keys.job(id))
        elif kind == "scheduled":
            pond.ask("HSET", keys.job(id), "state", "scheduled", "status", "scheduled")
        elif kind == "elsewhere":
            pond.ask("HSET", keys.job(id), "place", "alone")
        if kind in ("queued", "twice"):
            expected.append(id)
    child = pond.hire()
    got = [job.id for _ in range(20) for job in child.claim(slots)]
    assert got == expected
    assert pond.queued() == []
