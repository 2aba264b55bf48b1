"""Rule 8: snapshots of a job, in any order and however often, from any number of writers, give the same row."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.job import Job, new_id
from millpond.states import FINAL, MOVES, NEW, State
from millpond.store import Store
from tests.store.samples import a_job, after, an_attempt, failed, finished


def row(store: Store, job: Job) -> Job:
    """The job's row, without the time at which it was written."""
    found = store.get(job.id)
    assert found
    return replace(found, recorded_at=None)


def test_state_comes_from_the_higher_version(store: Store) -> None:
    job = a_job()
    started = replace(job, status="started", version=2, worker="w1", attempt=1, started_at=after(1))
    store.record([started])
    store.record([job])
    assert row(store, job) == started
    store.record([finished(job)])
    assert row(store, job) == finished(job)


def test_an_equal_version_changes_nothing(store: Store) -> None:
    job = finished(a_job())
    store.record([job])
    # Once recorded, the outcome is dropped from the hash: the same version is read again without it.
    store.record([replace(job, result_json=None)])
    assert row(store, job) == job


def test_a_final_row_is_not_overwritten_by_an_open_one_of_its_run(store: Store) -> None:
    job = a_job()
    store.record([finished(job)])
    store.record([replace(job, status="started", version=99)])
    assert row(store, job) == finished(job)


def test_a_new_run_overwrites_a_final_row(store: Store) -> None:
    job = a_job()
    again = replace(job, run=2, version=6)
    store.record([failed(job)])
    store.record([again])
    assert row(store, job) == again


def test_of_creation_columns_the_first_known_value_stays(store: Store) -> None:
    adopted = a_job(task=None, args=None)
    store.record([replace(adopted, version=2, queue="one", args=[1])])
    store.record([replace(adopted, version=1, queue="two", tags={"a": "b"}, owner="bob")])
    store.record([replace(adopted, version=3, queue="two", args=[2], created_at=after(9))])
    assert row(store, adopted) == replace(adopted, version=3, queue="one", args=[1])


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
def test_the_task_is_named_as_by_the_newest_who_knows_it(store: Store, order: tuple[int, ...]) -> None:
    adopted = a_job(task=None)
    names = {1: "module.resize", 2: "module.resize", 3: "resize"}
    for version in order:
        store.record([replace(adopted, version=version, task=names[version])])
    assert row(store, adopted) == replace(adopted, version=3, task="resize")


def test_creation_columns_are_filled_by_an_older_snapshot(store: Store) -> None:
    job = a_job(task=None)
    store.record([replace(job, version=5)])
    store.record([replace(job, version=1, task="resize")])
    assert row(store, job) == replace(job, version=5, task="resize")


def test_one_batch_may_hold_a_job_many_times(store: Store) -> None:
    jobs = [a_job() for _ in range(3)]
    versions = [replace(one, version=version) for version in (2, 4, 1, 4, 3) for one in jobs]
    store.record(versions, [an_attempt(one) for one in versions])
    assert [row(store, one).version for one in jobs] == [4, 4, 4]


def test_a_state_from_another_version_of_us_is_stored(store: Store) -> None:
    job = a_job(status="pondering", version=2)
    store.record([job])
    assert row(store, job) == job


@st.composite
def histories(draw: Callable[..., object]) -> list[Job]:
    """One job's snapshots as a collector may read them: a walk through the table of moves, with gaps."""
    job = a_job(id=new_id(), task=None, status=str(draw(st.sampled_from(sorted(NEW)))))
    seen = [job]
    for _ in range(int(str(draw(st.integers(0, 7))))):
        moves = sorted(MOVES[State(job.status)])
        if not moves:
            break
        was_final = job.status in FINAL
        status = State(str(draw(st.sampled_from(moves))))
        job = replace(job, status=status.value, version=job.version + int(str(draw(st.integers(1, 2)))), task=job.task or "resize")
        job = replace(job, run=job.run + was_final, attempt=job.attempt + (status is State.STARTED), enqueued_at=after(job.version))
        ended = status in FINAL
        job = replace(job, ended_at=after(job.version) if ended else None, reason=status.value if ended else None)
        seen.append(job)
    return seen


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), history=histories())
def test_all_orders_and_repetitions_over_two_writers_give_the_same_row(
    store: Store, other: Store, data: st.DataObject, history: list[Job]
) -> None:
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=4), "repeated")
    order = data.draw(st.permutations(repeated), "order")
    writers = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)), "writers")
    together = data.draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)), "in the batch of the one before")
    batch: list[Job] = []
    for snapshot, first, joins in zip(order, writers, together, strict=True):
        batch = [*batch, snapshot] if joins else [snapshot]
        (store if first else other).record(batch)
    known = next((one.task for one in history if one.task), None)
    assert row(store, history[0]) == replace(history[-1], task=known)


@pytest.mark.timeout(60)
def test_two_writers_at_once_give_the_same_rows(store: Store, other: Store) -> None:
    jobs = [a_job() for _ in range(100)]
    ended = [finished(job) for job in jobs]
    first, second = jobs + ended, ended[::-1] + jobs[::-1]

    def write(writer: Store, snapshots: list[Job]) -> None:
        for at in range(0, len(snapshots), 10):
            writer.record(snapshots[at : at + 10], [an_attempt(one) for one in snapshots[at : at + 10]])

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(write, store, first), threads.submit(write, other, second)]:
            done.result()
    assert [row(store, job) for job in jobs] == ended
