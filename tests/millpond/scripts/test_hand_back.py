"""hand_back: gives leases back to the head of their queue; it names what it gives up, so a second sending changes nothing."""

import json

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def test_items_go_to_the_head_uncounted(pond: Pond) -> None:
    ids = pond.submit(3)
    child = pond.hire()
    jobs = child.claim(2)
    assert child.hand_back("items", jobs=jobs[:1]) == 1
    assert pond.queued() == [ids[0], ids[2]]
    now = pond.job(ids[0])
    assert (now["state"], now["status"], now["version"], now.get("attempt", "0")) == ("queued", "queued", "3", "0")
    assert not {"execution", "lease", "mark"} & set(now)
    assert child.held() == {(jobs[1].id, jobs[1].execution)}
    assert child.try_claim() == "ok"
    assert pond.strange_keys() == []


def test_retire_gives_back_all_oldest_at_the_head(pond: Pond) -> None:
    ids = pond.submit(5)
    child = pond.hire()
    child.claim(4)
    assert child.hand_back("retire", "died") == 0
    assert pond.queued() == ids
    assert pond.leases() == set()
    assert child.try_claim() == "retired"


@pytest.mark.parametrize(("mode", "cause"), [("items", ""), ("retire", "died"), ("unmarked", ""), ("leave", "stopped")])
def test_sending_it_again_changes_nothing(pond: Pond, mode: moves.HandBack, cause: str) -> None:
    pond.submit(3)
    child = pond.hire()
    begun, *waiting = child.claim()
    child.start(begun)
    child.hand_back(mode, cause, waiting)
    before = pond.dump()
    child.hand_back(mode, cause, waiting)
    assert pond.dump() == before


def test_a_death_in_a_runner_of_its_own_is_a_crash_and_three_end_it(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    for deaths in ("1", "2"):
        assert child.bury(*child.work()) == 0
        now = pond.job(id)
        assert (now["state"], now["place"], now["deaths"], now["crashes"]) == ("queued", "queue", deaths, deaths)
    child.bury(*child.work())
    now = pond.job(id)
    assert (now["state"], now["error_code"], now["deaths"], now["crashes"], now["attempt"]) == ("failed", "crashed", "3", "3", "3")
    noted = json.loads(now["o:1:3"])
    assert (noted["code"], noted["body"]["error"]["message"]) == ("worker_died", "The process that ran it died: SIGSEGV.")
    assert child.try_claim() == "ok"  # it lives


def test_deaths_in_a_runner_that_ran_more_are_in_company(pond: Pond) -> None:
    ids = pond.submit(2)
    child = pond.hire()
    for _ in range(2):
        child.bury(*child.work(), alone=False)
    assert [(pond.job(id)["deaths"], pond.job(id)["crashes"], pond.job(id)["place"]) for id in ids] == [("2", "0", "alone")] * 2


def test_saying_a_death_again_changes_nothing(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    jobs = child.work()
    child.bury(*jobs)
    before = pond.dump()
    child.bury(*jobs)
    assert pond.dump() == before


def test_sending_it_again_leaves_the_next_generation_alone(pond: Pond) -> None:
    pond.submit(2)
    old = pond.hire(generation=1)
    old.work(1)
    old.hand_back("retire", "died")
    new = pond.hire(generation=2)
    new.work()
    before = pond.dump()
    old.hand_back("retire", "died")
    assert pond.dump() == before
    assert new.try_claim() == "ok"


@pytest.mark.parametrize(("cause", "deaths", "code"), [("died", "1", "worker_died"), ("stopped", None, "worker_stopped")])
def test_what_was_begun_has_an_outcome_and_a_death_if_it_died(pond: Pond, cause: str, deaths: str | None, code: str) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.work()
    child.hand_back("retire", cause)
    now = pond.job(id)
    assert (now["state"], now["attempt"], now.get("deaths")) == ("queued", "1", deaths)
    assert child.end(job) == "stale"
    noted = json.loads(now["o:1:1"])
    assert (noted["status"], noted["code"], noted["body"]["error"]["code"]) == ("failed", code, code)
    assert pond.kinds(id) == ["accepted", "returned"]
    assert pond.queued() == [id]


def test_the_third_run_waits_alone_and_three_deaths_there_end_it(pond: Pond) -> None:
    (id,) = pond.submit()
    seen = []
    for generation in range(1, 6):
        child = pond.hire(generation=generation)
        child.work(alone=pond.queued() == [])
        child.hand_back("retire", "died")
        now = pond.job(id)
        seen.append((len(pond.queued()), len(pond.queued(place="ALONE")), now["deaths"], now["crashes"]))
    assert seen == [(1, 0, "1", "0"), (0, 1, "2", "0"), (0, 1, "3", "1"), (0, 1, "4", "2"), (0, 0, "5", "3")]
    assert (now["state"], now["error_code"], now["last"]) == ("failed", "crashed", "o:1:5")


def test_rerun_never_ends_interrupted(pond: Pond) -> None:
    (id,) = pond.submit(fields={"rerun": "never"})
    child = pond.hire()
    child.work()
    child.hand_back("retire", "died")
    assert (pond.job(id)["state"], pond.job(id)["error_code"]) == ("failed", "interrupted")


@pytest.mark.parametrize("marked", [False, True])
@pytest.mark.parametrize(
    ("doom", "state"), [(("wish", "cancel"), "canceled"), (("wish", "stop"), "stopped"), (("expires_ms", 1), "expired")]
)
def test_a_wish_or_a_deadline_comes_first(pond: Pond, marked: bool, doom: tuple[str, str | int], state: str) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.work() if marked else child.claim()
    pond.ask("HSET", keys.job(id), *doom)
    child.hand_back("retire", "died")
    assert pond.job(id)["state"] == state
    assert ("o:1:1" in pond.job(id)) == marked


def test_unmarked_leaves_what_was_begun_and_retires(pond: Pond) -> None:
    pond.submit(3)
    child = pond.hire()
    begun, *waiting = child.claim()
    child.start(begun)
    assert child.hand_back("unmarked") == 0
    assert pond.queued() == [job.id for job in waiting]
    assert child.held() == {(begun.id, begun.execution)}
    assert child.try_claim() == "retired"
    assert child.end(begun) == "done"


def test_leave_unregisters_the_worker_with_its_last_lease(pond: Pond) -> None:
    pond.submit(4)
    old, new = pond.hire(generation=1), pond.hire(generation=2)
    old.claim(2)
    new.work(2)
    assert new.hand_back("leave", "stopped") == 0
    assert len(pond.queued()) == 4
    for name in (
        keys.WORKERS,
        keys.BEATS,
        keys.RQ_WORKERS,
        *(keys.named(prefix, "w1") for prefix in ("RQ_WORKER", "GENERATIONS", "ALIVE")),
    ):
        assert pond.ask("EXISTS", name) == 0, name


def test_it_takes_pages_and_says_how_many_are_left(pond: Pond) -> None:
    ids = pond.submit(900)
    child = pond.hire()
    child.claim(900)
    assert [child.hand_back("retire", "died") for _ in range(3)] == [400, 0, 0]
    assert sorted(pond.queued()) == ids


def test_what_the_child_forgot_though_it_was_begun_is_given_back(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    child.hand_back("items", jobs=child.work())
    assert pond.queued() == [id]
    assert json.loads(pond.job(id)["o:1:1"])["code"] == "worker_died"


def test_a_lease_that_the_job_does_not_name_is_dropped(pond: Pond) -> None:
    (id,) = pond.submit()
    child = pond.hire()
    (job,) = child.claim()
    pond.ask("DEL", keys.job(id))  # a tool deleted it, and stock RQ made another under the same id
    pond.ask("HSET", keys.job(id), "status", "queued", "origin", "default", "data", "x")
    before = pond.job(id)
    assert child.end(job) == "stale"
    assert child.held() == {(id, job.execution)}
    assert child.hand_back("items", jobs=[job]) == 0
    assert pond.job(id) == before
    assert pond.ask("EXISTS", "rq:wip:default", f"rq:execution:{id}:{job.execution}", "rq:worker:w1:executions") == 0


def test_of_a_queue_it_cannot_use_the_leases_stay(pond: Pond) -> None:
    pond.submit(queue="bad")
    good = pond.submit(queue="good")
    child = pond.hire(queues=["bad", "good"])
    child.claim()
    pond.ask("SET", "rq:queue:bad", "x")
    assert child.hand_back("retire", "died") == 1
    assert pond.queued("good") == good
    pond.ask("DEL", "rq:queue:bad")
    assert child.hand_back("retire", "died") == 0
    assert len(pond.queued("bad")) == 1


def test_leases_of_another_type_are_found_through_the_open_set(pond: Pond) -> None:
    """The worker lives on under another generation, so nobody will ever take back what the first one held."""
    ids = pond.submit(2)
    child = pond.hire()
    child.work(1)
    child.claim(1)
    pond.ask("DEL", keys.named("LEASES", "w1:1"))
    pond.ask("SET", keys.named("LEASES", "w1:1"), "x")
    assert child.hand_back("retire", "died") == 0
    pond.hire(generation=2)
    pond.run(moves.reconcile(0))
    assert sorted(pond.queued()) == ids
