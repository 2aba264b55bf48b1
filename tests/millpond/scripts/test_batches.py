"""begin, append, survey, call_off: one counter for the lines of a batch, and counts of its jobs that the other moves keep."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond import broker, keys, moves
from millpond.errors import NotDone
from tests.millpond.scripts.pond import STEADY, Child, Pond, submission


def begin(pond: Pond, key: bytes = b"", keep_s: int = 3600 * 24 * 30) -> str:
    begun = pond.run(moves.begin(moves.new_batch_id(), key, 1, keep_s))
    assert begun.answer == "begun"
    return begun.id


def lines(start: int, end: int, **more: Any) -> moves.Lines:
    """All lines after one up to another, accepted; `more` goes to their submissions."""
    accepted = {line: (submission(**more), b"[%d]" % line) for line in range(start + 1, end + 1)}
    return moves.Lines(start, end, b"digest %d" % end, accepted)


def append(pond: Pond, batch: str, what: moves.Lines) -> moves.Appended:
    return pond.run(moves.append(batch, what))


def test_ids_name_their_batch_and_line_and_sort_by_time() -> None:
    batch = moves.new_batch_id()
    id = moves.line_id(batch, 77)
    assert (len(batch), len(id), id[12], moves.line_of(id)) == (24, 32, "8", 77)
    assert id.startswith(batch)
    assert batch[:12] <= moves.new_batch_id()[:12]


def test_a_key_leads_to_the_batch_that_it_began(pond: Pond) -> None:
    first = begin(pond, b"k" * 16)
    append(pond, first, lines(0, 2))
    again = pond.run(moves.begin(moves.new_batch_id(), b"k" * 16, 1, 0))
    assert (again.answer, again.id, again.counter) == ("known", first, moves.Counter(2, 2, 0, b"digest 2"))
    assert pond.run(moves.begin(moves.new_batch_id(), b"j" * 16, 1, 0)).answer == "begun"
    (key,) = pond.ask("KEYS", keys.named("BATCH_KEY", (b"k" * 16).hex()))
    assert 3500 < pond.ask("TTL", key) <= 3600


def test_an_id_that_is_taken_is_not_begun_again(pond: Pond) -> None:
    batch = begin(pond)
    before = pond.dump()
    assert pond.run(moves.begin(batch, b"k" * 16, 1, 0)).answer == "taken"
    assert pond.dump() == before


def test_lines_become_jobs_with_one_event(pond: Pond) -> None:
    batch = begin(pond)
    accepted = {line: (submission(), b"[%d]" % line) for line in (1, 2, 5)}
    what = moves.Lines(0, 6, b"d", accepted, 2, {3: b"{3}", 4: b"{4}"}, complete=True)
    assert append(pond, batch, what) == moves.Appended("ok", moves.Counter(6, 3, 2, b"d", True))
    ids = [moves.line_id(batch, line) for line in (1, 2, 5)]
    assert pond.queued() == ids
    assert pond.open() == set(ids)
    assert [pond.job(id)["data"] for id in ids] == ["[1]", "[2]", "[5]"]
    assert {pond.job(id)["state"] for id in ids} == {"queued"}
    ((_, event),) = pond.ask("XRANGE", keys.EVENTS, "-", "+")
    assert event == {b"j": batch.encode(), b"v": b"1", b"k": b"accepted", b"l": b"1-2,5-5"}
    assert moves.lines_of(event[b"l"].decode()) == [1, 2, 5]
    hash, started = pond.run(moves.survey(batch))
    assert (hash["open"], hash["problem:3"], hash["problem:4"], started) == (b"3", b"{3}", b"{4}", 0)


def test_jobs_are_what_submit_makes_of_them(pond: Pond) -> None:
    batch = begin(pond)
    options: list[dict[str, Any]] = [{}, {"delay_ms": 60_000}, {"front": True}, {"queue": "other"}, {"expires_in_ms": 5000}]
    fields: dict[str, moves.Arg] = {"tags": b"{}", "max_attempts": 3}
    twins = [submission(fields=fields, **one) for one in options for _ in range(2)]
    submitted = [answer.id for answer in pond.run(moves.submit(twins, 1))]
    append(pond, batch, moves.Lines(0, 10, b"", {line: (twin, twin.data) for line, twin in enumerate(twins, 1)}))
    times = {"created_at", "enqueued_at", "enqueued_ms", "run_at_ms", "expires_ms"}
    for line, id in enumerate(submitted, 1):
        job, twin = pond.job(moves.line_id(batch, line)), pond.job(id)
        assert job.keys() == twin.keys()
        assert {name: job[name] for name in job.keys() - times} == {name: twin[name] for name in twin.keys() - times}


def test_who_comes_second_changes_nothing(pond: Pond) -> None:
    """Also the same call once more: its reply was lost."""
    batch = begin(pond)
    append(pond, batch, lines(0, 3))
    before = pond.dump()
    for what in (lines(0, 3), lines(0, 5), lines(2, 4), lines(4, 6)):
        assert append(pond, batch, what) == moves.Appended("moved", moves.Counter(3, 3, 0, b"digest 3"))
    assert pond.dump() == before
    assert append(pond, batch, lines(3, 5)).answer == "ok"


def test_a_complete_batch_takes_no_line(pond: Pond) -> None:
    batch = begin(pond)
    append(pond, batch, moves.Lines(0, 0, b"", complete=True))
    assert append(pond, batch, lines(0, 1)).answer == "moved"
    assert append(pond, batch, moves.Lines(0, 0, b"", complete=True)).answer == "ok"
    assert pond.open() == set()


def test_a_hundred_problems_are_kept(pond: Pond) -> None:
    batch = begin(pond)
    for at in (0, 60, 120):
        append(pond, batch, moves.Lines(at, at + 60, b"", {}, 60, dict.fromkeys(range(at + 1, at + 61), b"{}")))
    hash, _ = pond.run(moves.survey(batch))
    kept = {int(name.removeprefix("problem:")) for name in hash if name.startswith("problem:")}
    assert (kept, hash["rejected"]) == (set(range(1, 101)), b"180")


def test_an_id_that_is_there_already_refuses_the_call(pond: Pond) -> None:
    batch = begin(pond)
    pond.ask("SET", keys.job(moves.line_id(batch, 2)), "x")
    before = pond.dump()
    appended = append(pond, batch, lines(0, 3))
    assert (appended.answer, appended.detail) == ("error", keys.job(moves.line_id(batch, 2)))
    assert pond.dump() == before


def test_a_batch_that_is_gone(pond: Pond) -> None:
    assert append(pond, "a" * 24, lines(0, 1)).answer == "gone"
    assert pond.run(moves.call_off("a" * 24, 1)).answer == "gone"
    assert pond.run(moves.survey("a" * 24)) == ({}, 0)
    assert pond.dump() == {}


def test_a_full_redis_takes_no_lines(pond: Pond) -> None:
    batch = begin(pond)
    before = pond.dump()
    pond.ask("CONFIG", "SET", "maxmemory", "1mb")
    try:
        for call in (moves.append(batch, lines(0, 1)), moves.begin(moves.new_batch_id(), b"", 1, 0)):
            with pytest.raises(NotDone):
                broker.run_all(pond.client, [call])
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", "0")
    assert pond.dump() == before


def test_a_limit_is_not_passed_and_names_the_first_line_that_would(pond: Pond) -> None:
    batch = begin(pond)
    pond.submit(3)
    before = pond.dump()
    appended = pond.run(moves.append(batch, lines(0, 10), moves.Limits(queue_jobs=7)))
    assert appended == moves.Appended("refused", moves.Counter(), "queue-jobs", 5, "public", "default")
    assert pond.dump() == before
    assert pond.run(moves.append(batch, lines(0, 4), moves.Limits(queue_jobs=7))).answer == "ok"
    assert pond.ask("HGETALL", keys.OWNERS) == {b"public": b"7"}


def test_calling_off_goes_page_by_page(pond: Pond) -> None:
    batch = begin(pond)
    append(pond, batch, lines(0, 500))
    append(pond, batch, lines(500, 1500))
    child = pond.hire()
    child.work(2)
    pages, line = [], 1
    while line:
        page = pond.run(moves.call_off(batch, line, 400))
        pages.append((page.canceled, page.told))
        line = page.next
    assert pages == [(398, 2), (400, 0), (400, 0), (300, 0)]
    assert append(pond, batch, lines(1500, 1501)).answer == "canceled"
    assert pond.queued() == []


@pytest.mark.parametrize("spans", ["", "1", "1-2-3", "a-b", "1-20000"])
def test_spans_that_append_never_writes_are_refused(spans: str) -> None:
    with pytest.raises(ValueError):
        moves.lines_of(spans)


DEEDS = ("claim", "end", "fail", "again", "cancel", "retry", "due", "rq cancel", "rq requeue", "hand back", "delete", "record", "call off")


@given(deeds=st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 5)), max_size=40))
@STEADY
def test_counts_are_true_whatever_happens(pond: Pond, deeds: list[tuple[str, int]]) -> None:
    pond.client.flushall()
    batch = begin(pond)
    append(pond, batch, lines(0, 4, fields={"max_attempts": 2}))
    append(pond, batch, lines(4, 6, delay_ms=60_000))
    child, recorded = pond.hire(), dict[str, str]()
    for deed, which in deeds:
        id = moves.line_id(batch, which + 1)
        _do(pond, child, deed, id, recorded)
    pond.run(moves.reconcile(0, 100))  # what RQ's tools did becomes ours
    hash, started = pond.run(moves.survey(batch))
    states = Counter(_state(pond, moves.line_id(batch, line), recorded) for line in range(1, 7))
    told = Counter({state: int(hash.get(state, b"0")) for state in ("scheduled", "finished", "failed", "canceled", "stopped", "expired")})
    told["started"], told["queued"] = started, int(hash["open"]) - started
    assert +told == states


def _state(pond: Pond, id: str, recorded: dict[str, str]) -> str:
    return pond.job(id).get("state") or recorded[id]


def _do(pond: Pond, child: Child, deed: str, id: str, recorded: dict[str, str]) -> None:
    """One deed, if the job is in a state that allows it."""
    job = pond.job(id)
    needed = {"end": "started", "fail": "started", "again": "started", "hand back": "started", "rq requeue": "failed"}.get(deed)
    if not job or (needed and job["state"] != needed):
        return
    claimed = moves.Claimed(id, job.get("execution", ""), {})
    deeds: dict[str, Callable[[], Any]] = {
        "claim": lambda: child.work(1),
        "end": lambda: child.end(claimed),
        "fail": lambda: child.end(claimed, "failed"),
        "again": lambda: child.end(claimed, "failed", retry_ms=60_000),
        "cancel": lambda: pond.run(moves.cancel(id)),
        "retry": lambda: pond.run(moves.retry(id)),
        "due": lambda: (pond.ask("ZADD", keys.named("SCHEDULED", "default"), "XX", 1, id), pond.run(moves.promote())),
        "rq cancel": lambda: pond.ask("HSET", keys.job(id), "status", "canceled"),
        "rq requeue": lambda: pond.ask("HSET", keys.job(id), "status", "queued"),
        "hand back": lambda: child.hand_back("items", "stopped", [claimed]),
        "delete": lambda: _delete(pond, id, recorded) if job["state"] in ("queued", "scheduled") else None,
        "record": lambda: pond.run(moves.recorded([moves.Committed(id, int(job["version"]))], 0)),
        "call off": lambda: pond.run(moves.call_off(id[:24], 1)),
    }
    deeds[deed]()


def _delete(pond: Pond, id: str, recorded: dict[str, str]) -> None:
    """As RQ's delete and the collector after it."""
    pond.ask("DEL", keys.job(id))
    recorded[id] = "canceled"
    pond.run(moves.recorded([moves.Committed(id, 0)]))
