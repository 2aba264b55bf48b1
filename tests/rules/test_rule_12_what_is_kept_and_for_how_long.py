"""Rule 12. A job's hash has no expiry while it is ours; it goes when it is recorded, unchanged and its grace over; what a database
cannot hold does not come in."""

from pathlib import Path

import pytest

from millpond import codec, keys, moves
from millpond.errors import BadInput, Invalid
from millpond.store import Store
from tests.collector.running import Collector
from tests.millpond.scripts.pond import Pond
from tests.until import until
from tests.worker.mill import Mill


def ended(pond: Pond, status: str = "finished", grace_ms: int = 0) -> str:
    """A job that ended and is recorded."""
    (id,) = pond.submit()
    child = pond.hire()
    child.end(child.work()[0], status)
    assert pond.run(moves.recorded([moves.Committed(id, pond.version(id), ["o:1:1"])], grace_ms)) == [1]
    return id


def test_no_job_expires_by_itself(pond: Pond) -> None:
    pond.submit(delay_ms=60_000)
    ended(pond)
    failed = ended(pond, "failed")
    for id, status in (("waiting", "queued"), (failed, "queued")):
        pond.ask("HSET", keys.job(id), "status", status, "origin", "default", "data", "x")
        pond.ask("EXPIRE", keys.job(id), 100)  # as RQ's tools may
        pond.ask("RPUSH", "rq:queue:default", id)
    assert len(pond.hire().claim()) == 2
    assert {pond.ask("TTL", key) for key in pond.ask("KEYS", "rq:job:*")} == {-1}


def test_forgotten_only_after_its_grace(pond: Pond) -> None:
    kept, gone = ended(pond, grace_ms=60_000), ended(pond)
    assert pond.run(moves.forget()) == 1
    assert (bool(pond.job(kept)), bool(pond.job(gone))) == (True, False)


@pytest.mark.parametrize("change", [("status", "queued"), ("version", "9"), ("state", "started"), ("recorded", "2")])
def test_forgotten_only_as_it_was_recorded(pond: Pond, change: tuple[str, str]) -> None:
    id = ended(pond)
    pond.ask("HSET", keys.job(id), *change)
    pond.run(moves.forget())
    assert pond.job(id)


def test_an_open_job_is_not_forgotten(pond: Pond) -> None:
    id = ended(pond)
    pond.ask("SADD", keys.OPEN, id)
    assert pond.run(moves.forget()) == 0


def test_of_failed_jobs_the_newest_stay(pond: Pond) -> None:
    ids = [ended(pond, "failed") for _ in range(4)]
    for at, id in enumerate(ids):
        pond.ask("ZADD", keys.named("KEPT", "default"), at, id)
    assert pond.run(moves.forget(500, 2)) == 2
    assert [bool(pond.job(id)) for id in ids] == [False, False, True, True]
    assert pond.run(moves.retry(ids[3])).answer == "ok"


@pytest.mark.parametrize(("text", "code"), [(rb'"a\u0000b"', "nul_character"), (rb'"\ud800"', "lone_surrogate")])
def test_arguments_that_a_database_cannot_hold_do_not_come_in(text: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        codec.decode(b'{"args":[' + text + b"]}")
    assert [fault["code"] for fault in refused.value.faults] == [code]


@pytest.mark.parametrize("value", ["a\0b", {"a\0": 1}, ["\ud800"]])
def test_results_that_a_database_cannot_hold_do_not_come_in(value: object) -> None:
    with pytest.raises(Invalid) as refused:
        codec.encode_result(value, 1000)
    assert refused.value.code == "result_not_json"


def test_a_result_with_nul_ends_its_job_and_nothing_else(mill: Mill, tmp_path: Path, store: Store) -> None:
    with mill.worker(), Collector(tmp_path / "collector.log", mill.url, f"sqlite:///{tmp_path}/millpond.db"):
        ids = [mill.submit("give", "nul"), mill.submit("echo", 1)]
        until(lambda: not mill.client.scard(keys.OPEN), 15, "both are recorded")
        rows = [store.get(id) for id in ids]
        assert [(row.status, row.error_code) for row in rows if row] == [("failed", "result_not_json"), ("finished", None)]
