"""submit: idempotency, hash, queue or schedule, open set, event; one answer per job, in order."""

from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from millpond import broker, keys, moves
from millpond.errors import NotDone
from millpond.times import from_rq, to_ms
from tests.millpond.scripts.pond import STEADY, Pond, new_id, submission

KEYED: dict[str, Any] = {"digest": b"d" * 16, "body_digest": b"b" * 16}


def submit(pond: Pond, *jobs: moves.Submission, hours: int = 24) -> list[moves.Submitted]:
    return pond.run(moves.submit(jobs, hours))


def test_a_job_is_in_the_hash_the_queue_the_open_set_and_an_event(pond: Pond) -> None:
    before = pond.now()
    (answer,) = submit(pond, submission("a" * 32, fields={"max_attempts": 3}))
    job = pond.job("a" * 32)
    assert (answer.answer, answer.id, answer.state) == ("accepted", "a" * 32, "queued")
    assert before <= answer.created_ms == int(job["enqueued_ms"]) <= pond.now()
    assert to_ms(from_rq(job["created_at"])) == to_ms(from_rq(job["enqueued_at"])) == answer.created_ms
    assert not {"run", "place"} & set(job)  # absent: 1, and the queue
    assert {name: job[name] for name in ("state", "status", "version", "origin", "task", "max_attempts", "timeout")} == {
        "state": "queued",
        "status": "queued",
        "version": "1",
        "origin": "default",
        "task": "sleep",
        "max_attempts": "3",
        "timeout": "60",
    }
    assert pond.queued() == ["a" * 32]
    assert pond.open() == {"a" * 32}
    assert pond.events() == [("a" * 32, 1, "accepted")]
    assert pond.ask("SMEMBERS", keys.RQ_QUEUES) == {b"rq:queue:default"}
    assert pond.strange_keys() == []


def test_a_delay_counts_from_redis_now_and_wins_over_run_at(pond: Pond) -> None:
    (answer,) = submit(pond, submission(delay_ms=60_000, run_at_ms=1))
    job = pond.job(answer.id)
    assert answer.state == job["state"] == job["status"] == "scheduled"
    assert int(job["run_at_ms"]) == answer.created_ms + 60_000
    assert pond.ask("ZSCORE", "rq:scheduled:default", answer.id) == int(job["run_at_ms"]) / 1000
    assert pond.queued() == []
    assert "enqueued_ms" not in job
    assert "place" not in job


def test_a_time_that_has_passed_means_now(pond: Pond) -> None:
    (answer,) = submit(pond, submission(run_at_ms=1))
    assert answer.state == "queued"


def test_front_goes_to_the_head(pond: Pond) -> None:
    first = pond.submit()[0]
    second = pond.submit(front=True)[0]
    assert pond.queued() == [second, first]


def test_a_deadline_counts_from_redis_now(pond: Pond) -> None:
    (answer,) = submit(pond, submission(expires_in_ms=5000))
    assert int(pond.job(answer.id)["expires_ms"]) == answer.created_ms + 5000


def test_the_same_key_and_body_give_the_first_job_also_in_one_batch(pond: Pond) -> None:
    one, two = submit(pond, submission(**KEYED), submission(**KEYED))
    (three,) = submit(pond, submission(**KEYED))
    assert [one.answer, two.answer, three.answer] == ["accepted", "replayed", "replayed"]
    assert one.id == two.id == three.id
    assert three.state == "queued"
    assert pond.queued() == [one.id]


def test_the_same_key_with_another_body_is_a_mismatch(pond: Pond) -> None:
    (one,) = submit(pond, submission(**KEYED))
    (two,) = submit(pond, submission(digest=b"d" * 16, body_digest=b"c" * 16))
    assert (two.answer, two.id) == ("mismatch", one.id)
    assert len(pond.open()) == 1


SLOT_MS = 8 * 3_600_000
FULL = 64  # entries of a hash of keys (scripts/common/idempotency.lua)


def key_hash(slot: int, digest: bytes, level: int = 0) -> str:
    return keys.named("IDEMPOTENCY", f"{slot}:{level}:{int.from_bytes(digest[:3]) % 2 ** (8 + 4 * level)}")


def test_a_key_is_found_as_long_as_it_holds_and_not_much_longer(pond: Pond) -> None:
    slot = pond.now() // SLOT_MS
    pond.ask("HSET", key_hash(slot - 3, KEYED["digest"]), KEYED["digest"], b"\xaa" * 16 + KEYED["body_digest"])
    assert submit(pond, submission(**KEYED), hours=16)[0].answer == "accepted"
    pond.ask("DEL", key_hash(slot, KEYED["digest"]))
    for hours in (17, 24):
        answer = submit(pond, submission(**KEYED), hours=hours)[0]
        assert (answer.answer, answer.id, answer.state) == ("replayed", "a" * 32, "")


def test_keys_expire_with_all_of_their_eight_hours(pond: Pond) -> None:
    submit(pond, submission(**KEYED), hours=3)
    (found,) = pond.ask("KEYS", keys.PREFIXES["IDEMPOTENCY"] + "*")
    assert 3 * 3600 < pond.ask("TTL", found) <= 11 * 3600
    submit(pond, submission(**KEYED), hours=3)
    assert pond.ask("HLEN", found) == 1


def test_a_full_hash_of_keys_says_so_and_the_next_level_takes_over(pond: Pond) -> None:
    digests = [bytes([0, at, 7]) + b"d" * 13 for at in range(100)]
    jobs = [submission(digest=digest, body_digest=b"b" * 8) for digest in digests]
    assert {answer.answer for answer in submit(pond, *jobs)} == {"accepted"}
    slot = pond.now() // SLOT_MS
    assert pond.ask("HLEN", key_hash(slot, digests[0])) == FULL + 1
    assert {pond.ask("HLEN", key_hash(slot, digest, 1)) for digest in digests[FULL:]} == {2, 3}  # 36 in 16
    again = submit(pond, *[submission(digest=digest, body_digest=b"b" * 8) for digest in digests])
    assert [(answer.answer, answer.id) for answer in again] == [("replayed", job.id) for job in jobs]


def test_a_key_takes_about_sixty_bytes(pond: Pond, full: bool) -> None:
    # Between two levels the new hashes are nearly empty; the most is not far from the mean all the same.
    for count in (2_000, 20_000, 100_000) if full else (20_000,):
        pond.client.flushall()
        number = 0
        for _ in range(count // 500):
            jobs = []
            for _ in range(500):
                number += 1
                jobs.append(submission(digest=blake2b(b"%d" % number, digest_size=16).digest(), body_digest=b"b" * 8))
            submit(pond, *jobs)
        found = pond.ask("KEYS", keys.PREFIXES["IDEMPOTENCY"] + "*")
        assert {pond.ask("OBJECT", "ENCODING", one) for one in found[::50]} == {b"listpack"}
        before = pond.client.info("memory")["used_memory"]
        for at in range(0, len(found), 1000):
            pond.ask("DEL", *found[at : at + 1000])
        each = (before - pond.client.info("memory")["used_memory"]) / count
        print(f"{count} idempotency keys: {each:.1f} B a key in {len(found)} hashes")
        assert each < 80


def test_a_repeat_is_replayed_after_the_job_was_forgotten(pond: Pond) -> None:
    (one,) = submit(pond, submission(**KEYED))
    pond.ask("DEL", keys.job(one.id))
    assert submit(pond, submission(**KEYED))[0] == moves.Submitted("replayed", one.id, "")


def test_sending_it_again_adds_nothing(pond: Pond) -> None:
    job = submission()
    submit(pond, job)
    before = pond.dump()
    (again,) = submit(pond, job)
    assert (again.answer, again.detail) == ("error", keys.job(job.id))
    assert pond.dump() == before


def test_an_id_twice_in_one_batch_is_accepted_once(pond: Pond) -> None:
    job = submission()
    assert [answer.answer for answer in submit(pond, job, job)] == ["accepted", "error"]
    assert pond.queued() == [job.id]


def test_a_full_redis_refuses_before_anything_is_done(pond: Pond) -> None:
    submit(pond, submission())
    before = pond.dump()
    pond.ask("CONFIG", "SET", "maxmemory", "1mb")
    try:
        with pytest.raises(NotDone):
            broker.run(pond.client, moves.submit([submission()], 24))
    finally:
        pond.ask("CONFIG", "SET", "maxmemory", "0")
    assert pond.dump() == before


job_kinds = st.sampled_from(["now", "later", "front", "keyed", "keyed again", "other queue"])


@given(kinds=st.lists(job_kinds, max_size=20), broken=st.sampled_from(["", "rq:queue:other", "rq:scheduled:default"]))
@settings(STEADY, max_examples=60)
def test_each_item_has_its_own_answer_in_order(pond: Pond, kinds: list[str], broken: str) -> None:
    pond.client.flushall()
    if broken:
        pond.ask("SET", broken, "not what it should be")
    options: dict[str, dict[str, Any]] = {
        "now": {},
        "later": {"delay_ms": 60_000},
        "front": {"front": True},
        "keyed": {"digest": b"1" * 16, "body_digest": b"1" * 16},
        "keyed again": {"digest": b"1" * 16, "body_digest": b"2" * 16},
        "other queue": {"queue": "other"},
    }
    jobs = [submission(new_id(), **options[kind]) for kind in kinds]
    answers = submit(pond, *jobs)
    assert len(answers) == len(jobs)
    accepted: list[str] = []
    keyed: tuple[str, str] | None = None
    for kind, job, answer in zip(kinds, jobs, answers, strict=True):
        if kind.startswith("keyed") and keyed:
            assert (answer.answer, answer.id) == ("replayed" if keyed[0] == kind else "mismatch", keyed[1])
            continue
        # A key without its type hurts every job of its queue that needs it, and no other.
        hurt = broken == ("rq:queue:other" if kind == "other queue" else "rq:scheduled:default")
        assert (answer.answer, answer.id, answer.detail) == (("error", job.id, broken) if hurt else ("accepted", job.id, ""))
        if not hurt:
            accepted.append(job.id)
            keyed = (kind, job.id) if kind.startswith("keyed") else keyed
    assert pond.open() == set(accepted)
    assert [id for id, _, _ in pond.events()] == accepted
    assert pond.strange_keys() == []
