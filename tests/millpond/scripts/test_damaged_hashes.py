"""Whatever stands in a job's hash, the job comes to a recorded end: scripts and collector agree on what cannot be read."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from millpond import keys
from tests.millpond.scripts.pond import STEADY, Pond, outcome
from tests.millpond.scripts.village import QUEUES, Village

NAMES = ["version", "run", "attempt", "failures", "deaths", "crashes", "created_ms", "enqueued_ms", "expires_ms"]
NAMES += [
    "run_at_ms",
    "max_attempts",
    "state",
    "status",
    "origin",
    "place",
    "wish",
    "rerun",
    "execution",
    "lease",
    "mark",
    "last",
    "recorded",
]
NAMES += [
    "tags",
    "progress",
    "data",
    "timeout",
    "timeout_ms",
    "backoff_ms",
    "jitter",
    "owner",
    "task",
    "o:1:1",
    "o:x",
    "waiters",
    "watchers",
    "created_at",
    "gate",
]
VALUES = [
    "",
    "0",
    "1",
    "-1",
    "1.5",
    "7",
    "nan",
    "inf",
    "0x10",
    "9" * 30,
    "x",
    "{",
    "[]",
    "{}",
    "a",
    "b",
    "queue",
    "alone",
    "held",
    "1 1 20 k",
    "1:1",
    "\xff",
]
VALUES += ["queued", "scheduled", "started", "finished", "failed", "canceled", "expired", "deferred", "created", "cancel", "never"]


def served(damage: dict[str, str]) -> bool:
    """Whether some worker serves the job's queue, if it has one."""
    return damage.get("origin", "") in ("", *QUEUES)


damages = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES), min_size=1, max_size=3).filter(served)


@given(damage=damages, when=st.sampled_from(["waiting", "scheduled", "running", "ended"]), gone=st.sets(st.sampled_from(NAMES), max_size=1))
@example(damage={"version": "nan"}, when="ended", gone=set())
@example(damage={"tags": "{"}, when="waiting", gone=set())
@example(damage={"state": "started"}, when="ended", gone=set())
@settings(STEADY, max_examples=150)
def test_a_damaged_job_comes_to_an_end(pond: Pond, damage: dict[str, str], when: str, gone: set[str]) -> None:
    pond.client.flushall()
    village = Village(pond, pond.hire(queues=QUEUES))
    (id,) = pond.submit(queue="a", delay_ms=60_000 if when == "scheduled" else 0)
    village.ids["it"] = id
    jobs = village.child.work() if when in ("running", "ended") else []
    if when == "ended":
        village.child.finish(*map(outcome, jobs))
    pond.ask("HSET", keys.job(id), *(word for pair in damage.items() for word in pair))
    pond.ask("HDEL", keys.job(id), *(gone or ["nothing"]))
    village.finish_all(12)
    assert village.ended == {id}, pond.job(id)
    assert id not in pond.open()
