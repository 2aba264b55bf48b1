"""tick: counts, for each worker, the counted ticks in a row on which its beats did not move."""

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond


def tick(pond: Pond, since_ms: int = 500) -> list[str]:
    """A tick that long after the last."""
    pond.ask("SET", keys.TICK, pond.now() - since_ms)
    return pond.run(moves.tick())


def missed(pond: Pond, worker: str = "w1") -> int:
    return int(pond.ask("HGET", keys.MISSED, worker).split(b":")[1])


def test_eight_silent_ticks_in_a_row_are_death(pond: Pond) -> None:
    pond.hire("w1")
    pond.hire("w2")
    named = []
    for _ in range(8):
        pond.run(moves.heartbeat("w2"))
        named.append(tick(pond))
    assert named == [[]] * 7 + [["w1"]]
    assert pond.strange_keys() == []


def test_a_beat_clears_the_worker_s_count_alone(pond: Pond) -> None:
    pond.hire("w1")
    pond.hire("w2")
    for _ in range(5):
        tick(pond)
    pond.run(moves.heartbeat("w1"))
    tick(pond)
    assert (missed(pond, "w1"), missed(pond, "w2")) == (1, 6)


def test_a_tick_too_soon_after_the_last_does_not_count(pond: Pond) -> None:
    pond.hire()
    tick(pond)
    tick(pond)
    before = pond.dump(keys.TICK)
    for _ in range(20):
        assert tick(pond, since_ms=0) == []
    assert pond.dump(keys.TICK) == before


def test_a_gap_or_a_step_back_clears_all_counts(pond: Pond) -> None:
    for since_ms in (1600, 60_000, -5000):
        pond.hire("w1")
        pond.hire("w2")
        for _ in range(8):
            tick(pond)
        assert tick(pond, since_ms) == []
        assert (missed(pond, "w1"), missed(pond, "w2")) == (0, 0)


def test_a_gap_of_a_second_and_a_half_still_counts(pond: Pond) -> None:
    pond.hire()
    tick(pond)
    tick(pond, 1400)
    assert missed(pond) == 2


def test_liveness_longer_than_it_can_be_is_cut(pond: Pond) -> None:
    pond.hire()
    pond.ask("PEXPIRE", keys.named("ALIVE", "w1"), 3_600_000)  # what a clock stepped back leaves
    tick(pond)
    assert pond.ask("PTTL", keys.named("ALIVE", "w1")) <= 3500


def test_the_first_tick_ever_names_nobody(pond: Pond) -> None:
    pond.hire()
    assert pond.run(moves.tick()) == []
    assert missed(pond) == 0


@pytest.mark.parametrize("name", [keys.BEATS, keys.MISSED, keys.TICK])
def test_a_count_of_another_type_is_begun_anew(pond: Pond, name: str) -> None:
    pond.hire("w1")
    pond.hire("w2")
    for _ in range(9):
        tick(pond)
    pond.ask("DEL", name)
    pond.ask("SADD", name, "x")
    assert pond.run(moves.tick()) == []
    named = []
    for _ in range(9):
        pond.run(moves.heartbeat("w2"))
        named.append(tick(pond))
    assert named[:7] == [[]] * 7
    assert named[-1] == ["w1"]


def test_workers_of_another_type_clear_the_counts(pond: Pond) -> None:
    pond.hire()
    for _ in range(9):
        tick(pond)
    pond.ask("DEL", keys.WORKERS)
    pond.ask("SADD", keys.WORKERS, "x")
    assert tick(pond) == []
    pond.ask("DEL", keys.WORKERS)
    pond.ask("HSET", keys.WORKERS, "w1", "default")
    assert tick(pond) == []
    assert missed(pond) == 1
