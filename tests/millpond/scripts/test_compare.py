"""compare: reads, and only reads, what a generation holds."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def test_it_names_what_is_held_and_what_waits(pond: Pond) -> None:
    pond.submit(5)
    child = pond.hire()
    jobs = child.claim(2)
    seen = child.compare()
    assert seen == moves.Comparison(True, 0, {(job.id, job.execution): "" for job in jobs}, 3)


def test_it_changes_nothing(pond: Pond) -> None:
    pond.submit(3)
    child = pond.hire()
    child.work(2)
    before = pond.dump()
    child.compare()
    pond.run(moves.compare("nobody", 7, ["default"]))
    assert pond.dump() == before


def test_it_tells_wishes_ours_and_rq_s(pond: Pond) -> None:
    pond.submit(6)
    child = pond.hire()
    ours, canceled, stopped, gone, broken, free = child.work()
    pond.run(moves.cancel(ours.id))
    pond.ask("HSET", keys.job(canceled.id), "status", "canceled")
    pond.ask("HSET", keys.job(stopped.id), "status", "stopped")
    pond.ask("DEL", keys.job(gone.id), keys.job(broken.id))
    pond.ask("SET", keys.job(broken.id), "x")
    held = child.compare().held
    assert held is not None
    wishes = [held[job.id, job.execution] for job in (ours, canceled, stopped, gone, broken, free)]
    assert wishes == ["cancel", "cancel", "stop", "cancel", "cancel", ""]


def test_a_generation_sees_only_its_own(pond: Pond) -> None:
    pond.submit(2)
    one, two = pond.hire(generation=1), pond.hire(generation=2)
    (a,), (b,) = one.claim(1), two.claim(1)
    assert one.held() == {(a.id, a.execution)}
    assert two.held() == {(b.id, b.execution)}


def test_a_retired_generation_is_not_live_and_still_holds(pond: Pond) -> None:
    pond.submit(2)
    child = pond.hire()
    begun, waiting = child.claim()
    child.start(begun)
    child.hand_back("unmarked")
    seen = child.compare()
    assert not seen.live
    assert seen.held == {(begun.id, begun.execution): ""}
    assert waiting.id in pond.queued()


def test_it_counts_the_idle_and_what_waits_to_run_alone(pond: Pond) -> None:
    pond.hire("w2").claim()
    pond.hire("w3").claim()
    pond.ask("RPUSH", keys.named("ALONE", "default"), "1", "2")
    assert (pond.hire().compare().idle, pond.hire().compare().waiting) == (2, 0)
    assert pond.run(moves.compare("w1", 1, ["default"], alone=True)).waiting == 2


def test_unreadable_leases_are_not_no_leases(pond: Pond) -> None:
    child = pond.hire()
    assert child.compare().held == {}
    pond.ask("SET", keys.named("LEASES", "w1:1"), "x")
    assert child.compare().held is None
