"""One consumer of the group: what is read stays pending until it is acknowledged, and outlives its reader."""

import redis

from collector.stream import Stream
from millpond import keys, moves
from tests.millpond.scripts.pond import Pond, submission
from tests.until import until


def consumers(pond: Pond) -> set[str]:
    return {one["name"].decode() for one in pond.client.xinfo_consumers(keys.EVENTS, keys.GROUP)}


def opened(client: redis.Redis, dead_s: float = 10.0, batch: int = 10) -> Stream:
    stream = Stream(client, batch, dead_s)
    assert stream.read() == [], "the first read makes the group"
    return stream


def test_events_are_read_once_and_leave_when_acknowledged(client: redis.Redis, pond: Pond) -> None:
    stream = opened(client)
    ids = pond.submit(25)
    read = [stream.read() for _ in range(3)]
    assert [len(batch) for batch in read] == [10, 10, 5]
    assert [one.id for batch in read for one in batch] == ids
    assert {(one.version, one.kind) for batch in read for one in batch} == {(1, "accepted")}
    assert pond.ask("XLEN", keys.EVENTS) == 25
    for batch in read:
        stream.ack(batch)
    assert pond.ask("XLEN", keys.EVENTS) == 0
    assert pond.client.xpending(keys.EVENTS, keys.GROUP)["pending"] == 0


def test_half_an_acknowledgement_leaves_nothing_for_ever(client: redis.Redis, pond: Pond) -> None:
    half = opened(client)
    pond.submit(3)
    pond.ask("XDEL", keys.EVENTS, *(one.entry for one in half.read()))  # and then it died
    heir = opened(client, dead_s=0.05)
    until(lambda: not heir.read() and not pond.client.xpending(keys.EVENTS, keys.GROUP)["pending"], message="nothing is pending")
    assert pond.ask("XLEN", keys.EVENTS) == 0


def test_events_older_than_the_group_are_read(client: redis.Redis, pond: Pond) -> None:
    ids = pond.submit(3)
    stream = opened(client)
    assert [one.id for one in stream.read()] == ids


def test_the_group_is_made_on_a_full_redis(client: redis.Redis, pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("CONFIG", "SET", "maxmemory", "1mb")
    try:
        stream = opened(client)
        assert [one.id for one in stream.read()] == [id]
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", "0")


def test_the_group_is_made_again_after_a_flush(client: redis.Redis, pond: Pond) -> None:
    stream = opened(client)
    pond.ask("FLUSHALL")
    ids = pond.submit(2)
    assert stream.read() == []
    assert [one.id for one in stream.read()] == ids


def test_two_readers_share_the_events(client: redis.Redis, pond: Pond) -> None:
    first, second = opened(client), opened(client)
    ids = pond.submit(20)
    assert sorted(one.id for one in first.read() + second.read()) == ids


def test_what_the_dead_left_pending_is_taken_over(client: redis.Redis, pond: Pond) -> None:
    dead = opened(client)
    ids = pond.submit(7)
    assert len(dead.read()) == 7
    heir = opened(client, dead_s=0.1, batch=5)
    first = until(heir.read, message="events are taken over")
    second = until(heir.read, message="the rest is taken over")
    assert [one.id for one in first + second] == ids


def test_the_dead_are_struck_off_once_nothing_of_theirs_is_pending(client: redis.Redis, pond: Pond) -> None:
    dead = opened(client)
    pond.submit(2)
    dead.read()
    heir = opened(client, dead_s=0.05)
    heir.ack(until(heir.read, message="events are taken over"))
    until(lambda: not heir.read() and consumers(pond) == {heir.consumer}, message="the dead one is struck off")


def test_who_leaves_with_nothing_pending_is_struck_off(client: redis.Redis, pond: Pond) -> None:
    stays, leaves = opened(client), opened(client)
    assert stays.read() == []
    pond.submit()
    held = leaves.read()
    leaves.leave()
    assert consumers(pond) == {stays.consumer, leaves.consumer}, "its pending events wait for others"
    leaves.ack(held)
    leaves.leave()
    assert consumers(pond) == {stays.consumer}


def test_what_no_script_wrote_is_read_and_acknowledged(client: redis.Redis, pond: Pond) -> None:
    stream = opened(client)
    for words in (["x", "y"], ["j", b"\xff", "v", "1", "k", "ended"], ["j", "a", "v", "one", "k", "ended"], ["j", "a"]):
        pond.ask("XADD", keys.EVENTS, "*", *words)
    read = stream.read()
    assert [one.id for one in read] == [""] * 4
    stream.ack(read)
    assert pond.ask("XLEN", keys.EVENTS) == 0


def test_an_event_of_a_batch_points_to_each_of_its_lines(client: redis.Redis, pond: Pond) -> None:
    stream = opened(client)
    batch = moves.new_batch_id()
    pond.run(moves.begin(batch, b"", 1, 0))
    for start in (0, 10, 20):
        accepted = {line: (submission(), b"[]") for line in range(start + 1, start + 11) if line != 15}
        pond.run(moves.append(batch, moves.Lines(start, start + 10, b"", accepted)))
    (after,) = pond.submit()
    read = [stream.read() for _ in range(3)]
    assert [len(one) for one in read] == [10, 10, 10]
    assert [one.id for one in read[0]] == [moves.line_id(batch, line) for line in range(1, 11)]
    assert [one.id for one in read[1]] == [moves.line_id(batch, line) for line in (*range(11, 15), *range(16, 22))]
    assert read[2][-1].id == after
    assert {(one.version, one.kind) for part in read for one in part} == {(1, "accepted")}
    stream.ack(read[1])
    assert pond.ask("XLEN", keys.EVENTS) == 3, "an event leaves with the last of its lines"
    stream.ack(read[0])
    stream.ack(read[2])
    assert pond.ask("XLEN", keys.EVENTS) == 0


def test_events_that_point_to_many_are_read_a_few_at_once(client: redis.Redis, pond: Pond) -> None:
    stream = opened(client, batch=100)
    batch = moves.new_batch_id()
    pond.run(moves.begin(batch, b"", 1, 0))
    for line in range(1, 31):
        pond.run(moves.append(batch, moves.Lines(line - 1, line, b"", {line: (submission(), b"[]")})))
        if line == 1:
            assert len(stream.read()) == 1
    assert [len(stream.read()) for _ in range(3)] == [5, 5, 5]
