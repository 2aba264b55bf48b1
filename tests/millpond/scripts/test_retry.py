"""retry: a new run of a job that ended other than finished, from its hash or from its record."""

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond, submission


def retry(pond: Pond, id: str, version: int = 0) -> moves.Changed:
    return pond.run(moves.retry(id, version))


def end(pond: Pond, state: str) -> str:
    """A job that ended so."""
    (id,) = pond.submit(expires_in_ms=60_000)
    child = pond.hire()
    if state == "expired":
        pond.ask("HSET", keys.job(id), "expires_ms", 1)
        child.claim()
    else:
        (job,) = child.work()
        child.end(job, state)
    assert pond.job(id)["state"] == state
    return id


@pytest.mark.parametrize("state", ["failed", "canceled", "stopped", "expired"])
def test_a_new_run_begins_with_nothing_of_the_last(pond: Pond, state: str) -> None:
    id = end(pond, state)
    before = pond.version(id)
    answer = retry(pond, id)
    now = pond.job(id)
    assert answer == moves.Changed("ok", "queued", int(now["version"]))
    assert answer.version > before
    assert (now["run"], now["attempt"], now["failures"], now["state"], now["status"]) == ("2", "0", "0", "queued", "queued")
    assert not {"reason", "error_code", "ended_at", "expires_ms", "last", "last_execution", "wish", "started_at"} & set(now)
    assert pond.queued() == [id]
    assert pond.open() == {id}
    assert pond.events()[-1] == (id, answer.version, "requeued")
    assert pond.ask("EXISTS", "rq:failed:default", "rq:canceled:default") == 0
    assert pond.strange_keys() == []


def test_outcomes_not_recorded_yet_stay(pond: Pond) -> None:
    id = end(pond, "failed")
    retry(pond, id)
    pond.hire().end(pond.hire().work()[0])
    assert {"o:1:1", "o:2:1"} <= set(pond.job(id))


def test_a_recorded_job_is_open_again_and_not_forgotten(pond: Pond) -> None:
    for id in (end(pond, "failed"), end(pond, "canceled")):
        pond.run(moves.recorded([moves.Committed(id, pond.version(id))], grace_ms=0))
        assert id not in pond.open()
        retry(pond, id)
        assert id in pond.open()
        pond.run(moves.forget(failed_keep=0))
        assert pond.job(id)["state"] == "queued"


@pytest.mark.parametrize("version", [0, None])
def test_sending_it_again_begins_no_second_run(pond: Pond, version: int | None) -> None:
    id = end(pond, "failed")
    seen = pond.version(id) if version is None else 0
    assert retry(pond, id, seen).answer == "ok"
    before = pond.dump()
    assert retry(pond, id, seen).answer == ("version" if seen else "conflict")
    assert pond.dump() == before


def test_what_runs_waits_or_finished_is_not_retried(pond: Pond) -> None:
    waiting, later = pond.submit()[0], pond.submit(delay_ms=60_000)[0]
    assert (retry(pond, waiting).answer, retry(pond, later).answer) == ("conflict", "conflict")
    child = pond.hire()
    (job,) = child.work()
    assert retry(pond, job.id) == moves.Changed("conflict", "started", 2)
    child.end(job)
    assert retry(pond, job.id) == moves.Changed("conflict", "finished", 3)


def test_what_is_not_there_or_not_readable(pond: Pond) -> None:
    pond.ask("SET", "rq:job:bad", "x")
    assert retry(pond, "none").answer == "gone"
    assert retry(pond, "bad").answer == "error"
    record = submission("bad")
    assert pond.run(moves.retry("bad", 0, record, 3, 1)).answer == "error"


def test_a_forgotten_job_is_made_anew_with_higher_numbers(pond: Pond) -> None:
    record = submission(fields={"max_attempts": 4, "tags": '{"a":"b"}'})
    assert pond.run(moves.retry(record.id, 0, record, 9, 2)) == moves.Changed("ok", "queued", 10)
    now = pond.job(record.id)
    assert (now["version"], now["run"], now["max_attempts"], now["task"], now["place"]) == ("10", "3", "4", "sleep", "queue")
    assert pond.queued() == [record.id]
    assert pond.open() == {record.id}
    assert pond.events() == [(record.id, 10, "requeued")]
    child = pond.hire()
    assert child.end(child.work()[0]) == "done"
    assert "o:3:1" in pond.job(record.id)


def test_making_it_anew_twice_begins_no_second_run(pond: Pond) -> None:
    record = submission()
    call = moves.retry(record.id, 9, record, 9, 2)
    assert pond.run(call).answer == "ok"
    before = pond.dump()
    assert pond.run(call).answer == "version"
    assert pond.run(moves.retry(record.id, 0, record, 9, 2)).answer == "conflict"
    assert pond.dump() == before


def test_only_the_version_that_was_seen(pond: Pond) -> None:
    record = submission()
    assert pond.run(moves.retry(record.id, 8, record, 9, 2)) == moves.Changed("version", "", 9)
    assert pond.dump() == {}


def test_a_live_hash_wins_over_the_record(pond: Pond) -> None:
    id = end(pond, "failed")
    assert pond.run(moves.retry(id, 0, submission(id), 2, 1)).answer == "ok"
    assert pond.job(id)["run"] == "2"


def test_a_requeue_of_rq_s_is_made_ours_first(pond: Pond) -> None:
    id = end(pond, "failed")
    pond.ask("HSET", keys.job(id), "status", "queued")
    assert retry(pond, id).answer == "conflict"
    assert pond.job(id)["run"] == "2"
    assert pond.kinds(id)[-1] == "requeued"


def test_a_queue_it_cannot_use(pond: Pond) -> None:
    id = end(pond, "failed")
    pond.ask("SET", "rq:queue:default", "x")
    before = pond.dump()
    assert retry(pond, id).answer == "error"
    record = submission()
    assert pond.run(moves.retry(record.id, 0, record, 9, 2)).answer == "error"
    assert pond.dump() == before
