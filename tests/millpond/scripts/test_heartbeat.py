"""heartbeat: beats + 1, liveness for 3.5 s; of a worker that is not listed it sets nothing."""

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def beat(pond: Pond, worker: str = "w1") -> moves.Beat:
    return pond.run(moves.heartbeat(worker))


def test_it_counts_and_refreshes(pond: Pond) -> None:
    pond.hire()
    pond.ask("PEXPIRE", keys.named("ALIVE", "w1"), 100)
    pond.ask("EXPIRE", "rq:worker:w1", 2)
    assert beat(pond) == moves.Beat("ok", 0)
    assert pond.ask("HGET", keys.BEATS, "w1") == b"2"
    assert 3000 < pond.ask("PTTL", keys.named("ALIVE", "w1")) <= 3500
    assert 10 < pond.ask("TTL", "rq:worker:w1") <= 15
    assert pond.ask("HGET", "rq:worker:w1", "last_heartbeat").endswith(b"Z")


def test_of_an_unregistered_worker_it_sets_no_key(pond: Pond) -> None:
    assert beat(pond) == moves.Beat("unknown", 0)
    assert pond.dump() == {}


def test_it_does_not_make_a_faded_display_anew(pond: Pond) -> None:
    pond.hire()
    pond.ask("DEL", "rq:worker:w1")
    assert beat(pond).answer == "faded"
    assert pond.ask("EXISTS", "rq:worker:w1") == 0
    assert pond.ask("EXISTS", keys.named("ALIVE", "w1")) == 1


def test_it_tells_how_many_jobs_wait_to_run_alone(pond: Pond) -> None:
    pond.hire(queues=["a", "b"])
    pond.ask("RPUSH", keys.named("ALONE", "a"), "1", "2")
    pond.ask("RPUSH", keys.named("ALONE", "b"), "3")
    pond.ask("RPUSH", keys.named("ALONE", "c"), "4")
    assert beat(pond) == moves.Beat("ok", 3)
