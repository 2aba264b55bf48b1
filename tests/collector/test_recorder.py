"""From events to rows, on real servers: whatever happens, one row a job and one row an attempt."""

from contextlib import closing
from pathlib import Path
from tempfile import mkdtemp

import pytest
import redis

from collector.fold import Told
from collector.look import look
from collector.pulse import Pulse
from collector.record import record
from collector.recorder import Recorder
from millpond import broker, keys, moves
from millpond.job import Job
from millpond.settings import CollectorSettings
from millpond.store import JobFilter, Store, open_store
from tests.collector.conftest import Recorders
from tests.collector.running import end_all, recorded, running, settled
from tests.millpond.scripts.pond import Pond
from tests.servers import PostgresServer, RedisServer
from tests.until import holds, until


def job(store: Store, id: str) -> Job:
    found = store.get(id)
    assert found, f"no row for {id}"
    return found


def rows(store: Store) -> dict[str, str]:
    return {one.id: one.status for one in store.list(JobFilter(), 10_000)[0]}


def test_who_is_behind_reads_and_records_a_job_once(client: redis.Redis, recorder: Recorders, store: Store, pond: Pond) -> None:
    ids = pond.submit(20)
    child = pond.hire()
    for one in child.work(20):
        child.end(one)
    client.config_resetstat()
    with running(recorder(store)):
        until(lambda: settled(pond), message="the ends are recorded")
        until(lambda: not pond.ask("XLEN", keys.EVENTS), message="and every event is acknowledged")
    assert rows(store) == dict.fromkeys(ids, "finished")
    assert client.info("commandstats")["cmdstat_hgetall"]["calls"] == len(ids)


def test_a_job_is_recorded_when_it_is_accepted_and_when_it_ended(recorder: Recorders, store: Store, pond: Pond) -> None:
    child = pond.hire()
    with running(recorder(store)):
        (id,) = pond.submit(fields={"tags": '{"customer":"42"}', "max_attempts": "3"})
        until(lambda: recorded(pond), message="the acceptance is recorded")
        accepted = job(store, id)
        assert (accepted.status, accepted.version, accepted.recorded_at, accepted.tags) == ("queued", 1, None, {"customer": "42"})
        assert pond.open() == {id}
        child.end(child.work()[0], "failed", retry_ms=0)
        until(lambda: recorded(pond), message="the first attempt is recorded")
        assert (job(store, id).status, len(store.attempts(id))) == ("scheduled", 1)
        pond.run(moves.promote())
        child.end(child.work()[0], body=b'{"result":{"size": 1.50}}')
        until(lambda: settled(pond), message="the end is recorded")
    found = job(store, id)
    assert (found.status, found.attempt, found.failures, found.result) == ("finished", 2, 1, {"size": 1.5})
    assert found.created_at == accepted.created_at
    assert found.recorded_at
    assert [(one.run, one.attempt, one.status, one.error_code) for one in store.attempts(id)] == [
        (1, 1, "failed", "task_error"),
        (1, 2, "finished", None),
    ]
    assert not [name for name in pond.job(id) if name.startswith("o:")], "what is recorded is dropped"


def test_what_an_attempt_said_is_recorded_with_its_end(recorder: Recorders, store: Store, pond: Pond) -> None:
    child = pond.hire()
    (id,) = pond.submit(fields={"max_attempts": 2})
    (first,) = child.work()
    pieces = [moves.Report(id, first.execution, b"", f"l:1:1:{number}", b'[1,"info","a"]') for number in range(1, 9_001)]
    pond.run(moves.report(pieces))
    child.end(first, "failed", retry_ms=0)
    pond.run(moves.promote())
    with running(recorder(store)):
        until(lambda: store.attempts(id), message="the first attempt is recorded")
        (second,) = child.work()
        pond.run(moves.report([moves.Report(id, second.execution, b"", "l:1:2:1", b'[2,"cut","b"]')]))
        until(lambda: recorded(pond) and "l:1:1:1" not in pond.job(id), message="and dropped")
        assert "l:1:2:1" in pond.job(id), "what the second says is still Redis's"
        child.end(second)
        until(lambda: settled(pond), message="the end is recorded")
    assert [one.log for one in store.attempts(id)] == ["\n".join(['[1,"info","a"]'] * 9_000), '[2,"cut","b"]']
    assert not [name for name in pond.job(id) if name.startswith("l:")]


def test_two_recorders_give_each_job_one_row(recorder: Recorders, store: Store, pond: Pond) -> None:
    with running(recorder(store, batch=20), recorder(store, batch=20)):
        ids = pond.submit(300)
        end_all(pond)
        until(lambda: settled(pond), 30, "all is recorded")
    assert rows(store) == dict.fromkeys(ids, "finished")
    assert all(len(store.attempts(id)) == 1 for id in ids)


def test_a_retried_job_keeps_the_attempts_of_all_runs(recorder: Recorders, store: Store, pond: Pond) -> None:
    child = pond.hire()
    (id,) = pond.submit()
    child.end(child.work()[0], "failed")
    assert pond.run(moves.retry(id)).answer == "ok"
    child.end(child.work()[0], body=b'{"result":2}')
    with running(recorder(store)):
        until(lambda: settled(pond), message="all is recorded")
    assert [(one.run, one.status) for one in store.attempts(id)] == [(1, "failed"), (2, "finished")]
    assert (job(store, id).run, job(store, id).result) == (2, 2)


def test_a_job_made_anew_from_its_record_goes_on_in_its_row(recorder: Recorders, store: Store, pond: Pond) -> None:
    child = pond.hire()
    with running(recorder(store)):
        (id,) = pond.submit()
        child.end(child.work()[0], "failed")
        until(lambda: settled(pond), message="the end is recorded")
        pond.ask("DEL", keys.job(id))
        record = job(store, id)
        anew = moves.Submission(id, "default", b'["sleep",null,[1],{}]', {"task": "sleep"})
        assert pond.run(moves.retry(id, 0, anew, record.version, record.run)).answer == "ok"
        child.end(child.work()[0], body=b'{"result":3}')
        until(lambda: settled(pond), message="the new end is recorded")
    assert (job(store, id).run, job(store, id).status, len(store.attempts(id))) == (2, "finished", 2)


def test_a_deleted_job_is_recorded_as_canceled(recorder: Recorders, store: Store, pond: Pond) -> None:
    with running(recorder(store)):
        first, second = pond.submit(2)
        until(lambda: recorded(pond), message="the acceptance is recorded")
        pond.ask("DEL", keys.job(first), keys.job(second))
        pond.run(moves.reconcile(0))
        until(lambda: settled(pond), message="the losses are recorded")
    for id in (first, second):
        assert (job(store, id).status, job(store, id).reason, job(store, id).version) == ("canceled", "deleted", 2)


def test_a_deleted_job_is_no_longer_counted_for_its_owner_and_queue(recorder: Recorders, store: Store, pond: Pond) -> None:
    with running(recorder(store)):
        mine, kept = pond.submit(fields={"owner": "me"}), pond.submit(queue="other")
        until(lambda: recorded(pond), message="the acceptances are recorded")
        pond.ask("DEL", keys.job(mine[0]))
        pond.run(moves.reconcile(0))
        until(lambda: pond.open() == set(kept), message="the loss is recorded")
        assert pond.ask("HGETALL", keys.OWNERS) == {b"public": b"1"}
        assert set(pond.ask("HGETALL", keys.BYTES)) == {b"other"}


def test_a_job_deleted_before_it_was_seen_gets_a_row(recorder: Recorders, store: Store, pond: Pond) -> None:
    (id,) = pond.submit()
    pond.ask("DEL", keys.job(id))
    with running(recorder(store)):
        until(lambda: settled(pond), message="the loss is recorded")
    assert (job(store, id).status, job(store, id).reason) == ("canceled", "deleted")


@pytest.mark.parametrize("broken", [("SET", "x"), ("HSET", "status", "pondering"), ("HSET", "version", "x")])
def test_an_unreadable_job_is_recorded_as_corrupt_and_leaves_the_open_set(
    recorder: Recorders, store: Store, pond: Pond, broken: tuple[str, ...]
) -> None:
    (id, other) = pond.submit(2)
    command, *words = broken
    pond.ask(command, keys.job(id), *words)
    child = pond.hire()
    with running(recorder(store)):
        (job_left,) = child.work()
        child.end(job_left)
        pond.run(moves.reconcile(0))
        until(lambda: settled(pond), message="both are recorded")
    assert (job(store, id).status, job(store, id).error_code) == ("failed", "corrupt_job")
    assert job(store, other).status == "finished"


def test_a_result_with_nul_is_recorded_or_refused_but_blocks_nothing(recorder: Recorders, store: Store, pond: Pond) -> None:
    ids = pond.submit(20)
    child = pond.hire()
    for at, one in enumerate(child.work()):
        error = b'{"error":{"code":"task_error","message":"a\\u0000b","traceback":"x"}}'
        child.end(one, "failed", body=error) if at == 7 else child.end(one, body=b'{"result":"a\\u0000b"}')
    with running(recorder(store)):
        until(lambda: settled(pond), message="all is recorded")
    assert rows(store) == {id: "failed" if at == 7 else "finished" for at, id in enumerate(ids)}
    assert job(store, ids[0]).result == "a\0b"
    assert job(store, ids[7]).error_code in ("unrecordable_result", "task_error")


def test_a_stale_look_at_a_deleted_job_is_looked_at_again(recorder: Recorders, store: Store, client: redis.Redis, pond: Pond) -> None:
    child = pond.hire()
    (id,) = pond.submit()
    child.end(child.work()[0], "failed")
    with running(recorder(store)):
        until(lambda: settled(pond), message="the end of run 1 is recorded")
    # One collector reads run 2 and is paused; the job is deleted; another collector records that, as far as it can know.
    assert pond.run(moves.retry(id)).answer == "ok"
    late = recorder(store)
    (view,) = look(client, [Told(id, pond.version(id))])
    pond.ask("DEL", keys.EVENTS, keys.job(id))
    pond.run(moves.reconcile(0))
    with running(recorder(store)):
        until(lambda: settled(pond), message="the loss is recorded")
    again = late._settle(record(store, view.sights))
    assert [one.id for one in again] == [id], "the late commit came over the row: look again"
    assert job(store, id).status == "queued"
    pond.ask("XADD", keys.EVENTS, "*", "j", id, "v", again[0].version, "k", "requeued")
    with running(late):
        until(lambda: recorded(pond), message="it is looked at again")
    assert (job(store, id).status, job(store, id).reason, job(store, id).run) == ("canceled", "deleted", 2)


def test_recording_goes_on_after_a_flush(recorder: Recorders, store: Store, pond: Pond) -> None:
    with running(recorder(store)):
        pond.submit(5)
        until(lambda: recorded(pond), message="the first are recorded")
        pond.ask("FLUSHALL")
        child = pond.hire()
        (id,) = pond.submit()
        child.end(child.work()[0])
        until(lambda: settled(pond), message="what came after is recorded")
    assert job(store, id).status == "finished"


def test_what_a_dead_collector_left_is_recorded(recorder: Recorders, store: Store, pond: Pond) -> None:
    ids = pond.submit(10)
    pond.ask("XGROUP", "CREATE", keys.EVENTS, keys.GROUP, "0")
    pond.ask("XREADGROUP", "GROUP", keys.GROUP, "dead", "COUNT", 6, "STREAMS", keys.EVENTS, ">")
    with running(recorder(store, dead_consumer_s=1)):
        until(lambda: recorded(pond), message="all is recorded")
    assert rows(store) == dict.fromkeys(ids, "queued")


def test_what_is_old_is_pruned(recorder: Recorders, store: Store, pond: Pond, monkeypatch: pytest.MonkeyPatch) -> None:
    pond.submit(3)
    end_all(pond)
    with running(recorder(store)):
        until(lambda: settled(pond), message="all is recorded")
    asked: list[tuple[int, int]] = []
    prune = Store.prune

    def prune_all(self: Store, days: int, limit: int) -> int:
        asked.append((days, limit))
        return prune(self, 0, limit)

    monkeypatch.setattr(Store, "prune", prune_all)
    with running(recorder(store, retention_days=0)):
        holds(lambda: not asked, 0.3, "0 days is for ever")
    with running(recorder(store, retention_days=7)):
        until(lambda: not rows(store), message="rows are pruned")
    assert asked == [(7, 500)], "an hour passes before it is done again"


@pytest.mark.timeout(180)
def test_the_database_is_down_for_a_while(recorder: Recorders, server_folder: Path, pond: Pond) -> None:
    with PostgresServer(server_folder / "down") as server, closing(open_store(server.fresh_database())) as store:
        store.upgrade()
        with running(recorder(store, batch=50)):
            ids = pond.submit(100)
            until(lambda: recorded(pond), message="the acceptances are recorded")
            server.stop()
            end_all(pond)
            pending = until(lambda: pond.client.xpending(keys.EVENTS, keys.GROUP)["pending"], message="a batch was read")
            holds(lambda: pond.client.xpending(keys.EVENTS, keys.GROUP)["pending"] == pending, 5, "nothing more is read meanwhile")
            assert len(pond.events()) == 100, "nothing is acknowledged"
            server.start()
            until(lambda: settled(pond), 30, "all is recorded")
        assert rows(store) == dict.fromkeys(ids, "finished")


@pytest.mark.timeout(120)
def test_redis_is_killed_and_started_again(server_folder: Path, store: Store) -> None:
    with RedisServer(Path(mkdtemp(dir=server_folder))) as server:
        pond = Pond(redis.Redis.from_url(server.url, socket_timeout=10))
        settings = CollectorSettings(redis_url=server.url)
        with running(Recorder(settings, broker.connect(server.url), store, Pulse(""))):
            ids = pond.submit(50)
            until(lambda: recorded(pond), message="the acceptances are recorded")
            server.restart()
            end_all(pond)
            server.restart()
            until(lambda: settled(pond), 30, "all is recorded")
        assert rows(store) == dict.fromkeys(ids, "finished")
        pond.client.close()
