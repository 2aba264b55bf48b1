"""Rule 5. Dead is whose beats did not move on eight counted ticks in a row: neither a stall nor a restart of Redis, neither a
stopped keeper nor a step of a clock takes a living worker's job; and a dead worker's jobs run again in under 6 s."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest
import redis

from millpond import broker, keys, moves
from millpond.errors import NotDone, OutcomeUnknown
from tests.millpond.scripts.pond import Pond
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill


def tick(pond: Pond, since_ms: int = 500) -> list[str]:
    """A tick that long after the last counted one."""
    pond.ask("SET", keys.TICK, pond.now() - since_ms)
    return pond.run(moves.tick())


def test_eight_counted_ticks_in_a_row_without_a_beat(pond: Pond) -> None:
    pond.hire("dead")
    pond.hire("slow")
    seen = []
    for at in range(8):
        if at % 7 == 6:
            pond.run(moves.heartbeat("slow"))
        seen.append(tick(pond))
    assert seen == [[]] * 7 + [["dead"]]


def test_ticks_too_close_together_do_not_count(pond: Pond) -> None:
    """Any number of keepers may tick."""
    pond.hire()
    tick(pond)
    tick(pond)
    assert [tick(pond, since_ms=100) for _ in range(20)] == [[]] * 20


@pytest.mark.parametrize("since_ms", [1_600, 86_400_000, -86_400_000])
def test_after_a_gap_or_a_step_of_the_clock_all_is_counted_anew(pond: Pond, since_ms: int) -> None:
    pond.submit(2)
    pond.hire().work()
    for _ in range(9):
        tick(pond)
    assert tick(pond, since_ms) == []
    assert pond.run(moves.take_back("w1")) == -1
    assert [tick(pond) for _ in range(8)] == [[]] * 7 + [["w1"]]


def test_a_take_back_that_was_decided_before_a_stall_looks_again(pond: Pond) -> None:
    pond.submit(2)
    pond.hire().work()
    for _ in range(9):
        named = tick(pond)
    assert named == ["w1"]
    pond.ask("SET", keys.TICK, pond.now() - 2_000)  # Redis stood still before the take-back came
    assert pond.run(moves.take_back("w1")) == -1
    assert tick(pond) == ["w1"]
    pond.run(moves.heartbeat("w1"))  # it was in the socket all the time
    assert pond.run(moves.take_back("w1")) == -1


def test_liveness_that_expired_in_a_stall_is_no_death(pond: Pond) -> None:
    pond.submit()
    pond.hire().work()
    tick(pond)
    pond.ask("DEL", keys.named("ALIVE", "w1"))
    assert tick(pond) == tick(pond) == []
    assert pond.run(moves.take_back("w1")) == -1


def test_liveness_longer_than_it_can_be_is_cut(pond: Pond) -> None:
    pond.hire()
    pond.ask("PEXPIRE", keys.named("ALIVE", "w1"), 3_600_000)
    tick(pond)
    assert pond.ask("PTTL", keys.named("ALIVE", "w1")) <= 3_500


class ThreeKeepers:
    """Without a lock, each with its own connection, as collectors' keepers are."""

    def __init__(self, url: str) -> None:
        self.taken: list[tuple[str, float]] = []
        self.ticks = 0
        self._url = url
        self._stop = Event()
        self._threads = [Thread(target=self._run, daemon=True) for _ in range(3)]

    def __enter__(self) -> "ThreeKeepers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(5)

    def _run(self) -> None:
        with broker.connect(self._url) as client:
            while not self._stop.wait(0.5):
                with suppress(NotDone, OutcomeUnknown, redis.exceptions.RedisError):
                    dead = broker.run(client, moves.tick())
                    self.ticks += 1
                    for worker in dead:
                        if broker.run(client, moves.take_back(worker)) >= 0:
                            self.taken.append((worker, monotonic()))


def test_three_keepers_find_a_dead_worker_within_5_s(pond: Pond, quick_server: RedisServer) -> None:
    ids = pond.submit(3)
    pond.hire("dead").work()
    with ThreeKeepers(quick_server.url) as keepers:
        died = monotonic()
        until(lambda: keepers.taken, 8, "it was taken back")
    assert 3.0 < keepers.taken[0][1] - died < 5.5
    assert sorted(pond.queued()) == ids


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path / "redis") as server:
        yield server


@pytest.mark.timeout(300)
def test_redis_stops_and_goes_on_at_random(own_redis: RedisServer, tmp_path: Path, full: bool) -> None:
    """Under work, for a minute when soaking."""
    dice = random.Random(5)
    mill = Mill(own_redis.url, tmp_path)
    with ExitStack() as stack:
        workers = [stack.enter_context(mill.worker()) for _ in range(2)]
        keepers = stack.enter_context(ThreeKeepers(own_redis.url))
        ids: list[str] = []
        end = monotonic() + (60 if full else 11)
        stops = 0
        while monotonic() < end:
            with suppress(NotDone, OutcomeUnknown):
                ids += mill.submit_many("nap", [(mill.file, 0.3)] * 20)
            wait(dice.choice([0.05, 0.3, 0.8, 1.5]))
            own_redis.pause()
            wait(dice.choice([0.2, 0.9, 1.4, 3.0, 4.5]))
            own_redis.resume()
            stops += 1
        for id in ids:
            assert mill.wait(id, timeout_s=30).get("deaths") is None
        assert keepers.taken == []
        assert keepers.ticks > stops
        assert [worker.events().count("child_started") for worker in workers] == [1, 1]
        assert stops >= 3
    mill.close()


def wait(seconds: float) -> None:
    """Let time pass: it is what the test is about."""
    over = monotonic() + seconds
    until(lambda: monotonic() > over, seconds + 5)
