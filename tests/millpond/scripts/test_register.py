"""register: lists a worker and makes one generation live."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def test_it_lists_the_worker_its_generation_and_its_life(pond: Pond) -> None:
    assert pond.run(moves.register("w1", 1, ["a", "b"], {"birth": "x", "hostname": "h"})) == "ok"
    assert pond.ask("HGETALL", keys.WORKERS) == {b"w1": b"a,b"}
    assert pond.ask("HGETALL", keys.named("GENERATIONS", "w1")) == {b"1": b"live"}
    assert pond.ask("HGET", keys.BEATS, "w1") == b"1"
    assert 0 < pond.ask("PTTL", keys.named("ALIVE", "w1")) <= 3500
    assert pond.strange_keys() == []


def test_it_shows_the_worker_to_rq(pond: Pond) -> None:
    pond.run(moves.register("w1", 1, ["a", "b"], {"birth": "x", "hostname": "h"}))
    assert pond.ask("HGETALL", "rq:worker:w1") == {b"birth": b"x", b"hostname": b"h", b"state": b"idle"}
    assert 0 < pond.ask("TTL", "rq:worker:w1") <= 15
    assert pond.ask("SMEMBERS", keys.RQ_WORKERS) == {b"rq:worker:w1"}
    assert pond.ask("SMEMBERS", "rq:workers:a") == pond.ask("SMEMBERS", "rq:workers:b") == {b"rq:worker:w1"}
    assert pond.ask("SMEMBERS", keys.RQ_QUEUES) == {b"rq:queue:a", b"rq:queue:b"}


def test_a_display_made_anew_says_whether_the_worker_works(pond: Pond) -> None:
    pond.submit()
    child = pond.hire()
    child.work()
    pond.ask("DEL", "rq:worker:w1")
    pond.run(moves.register("w1", 1, ["default"], {"birth": "x"}))
    assert pond.ask("HGET", "rq:worker:w1", "state") == b"busy"


def test_what_the_safety_net_needs_never_expires(pond: Pond) -> None:
    pond.hire().work()
    pond.submit()
    pond.hire("w2").work()
    for name in (keys.WORKERS, keys.BEATS, keys.named("GENERATIONS", "w2"), keys.named("LEASES", "w2:1")):
        assert pond.ask("TTL", name) == -1, name


def test_sending_it_again_only_counts_as_a_beat(pond: Pond) -> None:
    pond.hire()
    before = pond.dump(keys.BEATS)
    pond.hire()
    assert pond.dump(keys.BEATS) == before
    assert pond.ask("HGET", keys.BEATS, "w1") == b"2"


def test_a_generation_given_up_stays_given_up(pond: Pond) -> None:
    modes: tuple[moves.HandBack, ...] = ("retire", "unmarked")
    for mode in modes:
        pond.hire(mode).hand_back(mode, "died")
        assert pond.run(moves.register(mode, 1, ["default"], {})) == "retired"
        assert pond.run(moves.register(mode, 2, ["default"], {})) == "ok"


def test_several_generations_live_beside_each_other(pond: Pond) -> None:
    one, alone = pond.hire(generation=1), pond.hire(generation=2)
    assert (one.try_claim(), alone.try_claim()) == ("ok", "ok")
    pond.hire(generation=1)  # its display had faded
    assert alone.try_claim() == "ok"


def test_a_late_one_of_an_older_generation_makes_nothing_live(pond: Pond) -> None:
    old = pond.hire(generation=1)
    pond.bury("w1")
    assert pond.run(moves.take_back("w1")) == 0
    pond.hire(generation=2)
    assert pond.run(moves.register("w1", 1, ["default"], {})) == "retired"
    assert old.try_claim() == "retired"


def test_generations_so_old_that_nothing_of_theirs_can_come_are_dropped(pond: Pond) -> None:
    pond.submit()
    holder = pond.hire(generation=1)
    holder.claim()
    for generation in range(2, 30):
        pond.hire(generation=generation)
    listed = pond.ask("HKEYS", keys.named("GENERATIONS", "w1"))
    assert b"1" in listed  # it still holds a lease
    assert b"2" not in listed
    assert b"29" in listed


def test_a_key_of_another_type_is_named(pond: Pond) -> None:
    pond.ask("SET", keys.WORKERS, "x")
    assert pond.run(moves.register("w1", 1, ["default"], {})) == f"error:{keys.WORKERS}"
