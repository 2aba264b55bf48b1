"""Rule 1. One script a move; a bad item gets its own answer and harms no other; a script never raises; a full Redis still drains.

Every key that a move touches is set to every wrong type in tests/millpond/scripts/test_wrong_types.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from millpond import broker, keys, moves
from millpond.errors import NotDone
from millpond.job import new_id
from millpond.store import Store
from tests.collector.running import Collector
from tests.millpond.scripts.pond import Pond, outcome
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill


def test_a_bad_item_harms_no_other(pond: Pond) -> None:
    ids = pond.submit(4)
    child = pond.hire()
    pond.ask("DEL", keys.job(ids[1]))
    pond.ask("SET", keys.job(ids[1]), "no hash")
    jobs = child.claim()
    assert [job.id for job in jobs] == [ids[0], ids[2], ids[3]]
    assert pond.ask("HKEYS", keys.QUARANTINE) == [ids[1].encode()]
    pond.ask("DEL", keys.job(ids[2]))
    pond.ask("LPUSH", keys.job(ids[2]), "no hash")
    assert child.start(*jobs) == ["go", "go", "go"]  # its lease says nothing against it
    assert child.finish(*map(outcome, jobs)) == ["done", "gone", "done"]
    assert pond.open() == set(ids)  # until a collector has recorded what became of each


def test_what_cannot_be_written_is_not_half_written(pond: Pond) -> None:
    pond.submit(3)
    child = pond.hire()
    jobs = child.work(2)
    pond.ask("DEL", keys.EVENTS)
    pond.ask("SET", keys.EVENTS, "no stream")
    before = pond.dump()
    assert child.finish(*map(outcome, jobs)) == [f"error:{keys.EVENTS}"] * 2
    assert child.try_claim() == "not_alive"
    assert child.hand_back("retire", "died") > 0
    pond.bury("w1")
    assert pond.run(moves.take_back("w1")) == -1
    assert pond.dump(keys.MISSED, keys.TICK) == before
    pond.ask("DEL", keys.EVENTS)
    assert child.finish(*map(outcome, jobs)) == ["done", "done"]


def test_a_full_redis_ends_a_thousand_running_jobs(tmp_path: Path, store: Store) -> None:
    with RedisServer(tmp_path / "redis") as redis, mill_at(redis, tmp_path) as mill, mill.worker(concurrency=1000, prefetch=0):
        database = f"sqlite:///{tmp_path}/millpond.db"
        with Collector(tmp_path / "collector.log", redis.url, database, forget_grace_s=1):
            later = new_id()
            broker.run(mill.client, moves.submit([moves.Submission(later, "default", NOTHING, {"task": "noop"}, delay_ms=8_000)], 24))
            empty = used(mill)
            ids = mill.submit_many("doze", [(mill.file, 4.0)] * 1000)
            mill.begun(1000, 40)
            fill(mill, empty)
            with pytest.raises(NotDone):
                mill.submit("noop")
            until(lambda: not mill.client.scard(keys.OPEN), 60, "all are recorded, the scheduled one too")
            rows = [store.get(id) for id in (*ids, later)]
            assert {(row.status, row.attempt, row.deaths) for row in rows if row} == {("finished", 1, 0)}
            assert None not in rows
            until(lambda: not list(mill.client.scan_iter("rq:job:*")), 20, "what is recorded is forgotten, so that there is room again")
            mill.submit("noop")


NOTHING = b'["noop",null,[],{}]'


@contextmanager
def mill_at(redis: RedisServer, folder: Path) -> Iterator[Mill]:
    mill = Mill(redis.url, folder)
    yield mill
    mill.close()


def used(mill: Mill) -> int:
    """The bytes that Redis uses."""
    info: Any = mill.client.info("memory")
    return int(info["used_memory"])


def fill(mill: Mill, empty: int) -> None:
    """Allow Redis so little that it stays full when the jobs have ended, until they are forgotten: by then nothing else makes room."""
    mill.client.config_set("maxmemory", empty + (used(mill) - empty) // 2)
