"""Pages of the record: filters, order, cursors."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from millpond.errors import BadInput
from millpond.job import Job, new_id
from millpond.store import JobFilter, Store
from tests.store.samples import a_job, after, failed, finished


def ids(store: Store, **wanted: object) -> list[str]:
    return [one.id for one in store.list(JobFilter(**wanted), 100)[0]]  # type: ignore[arg-type]


def test_pages_are_newest_first_and_leave_nothing_out(store: Store) -> None:
    # Equal times: the id decides.
    made = [a_job(created_at=after(number // 3)) for number in range(20)]
    store.record(made)
    expected = [one.id for one in sorted(made, key=lambda one: (one.created_at, one.id), reverse=True)]
    for limit in (1, 3, 7, 20, 50):
        met: list[Job] = []
        page, cursor = store.list(JobFilter(), limit)
        met += page
        while cursor:
            assert len(page) == limit
            page, cursor = store.list(JobFilter(), limit, cursor)
            met += page
        assert [one.id for one in met] == expected


def test_a_page_is_not_moved_by_jobs_that_come_after_it(store: Store) -> None:
    made = [a_job(created_at=after(number)) for number in range(4)]
    store.record(made)
    _, cursor = store.list(JobFilter(), 2)
    store.record([a_job(created_at=after(99))])
    page, _ = store.list(JobFilter(), 2, cursor)
    assert [one.id for one in page] == [made[1].id, made[0].id]


def test_each_filter_alone_and_together(store: Store) -> None:
    plain = a_job(created_at=after(0), tags={})
    other = finished(a_job(created_at=after(1), task="sleep", queue="slow", owner="bob", tags={"customer": "42"}))
    broken = failed(a_job(created_at=after(2), tags={"customer": "42", "b": "2"}))
    store.record([plain, other, broken])
    assert ids(store) == [broken.id, other.id, plain.id]
    assert ids(store, status=("finished",)) == [other.id]
    assert ids(store, status=("failed", "queued")) == [broken.id, plain.id]
    assert ids(store, task="sleep") == [other.id]
    assert ids(store, queue="slow") == [other.id]
    assert ids(store, owner="ann") == [broken.id, plain.id]
    assert ids(store, tags={"customer": "42"}) == [broken.id, other.id]
    assert ids(store, tags={"customer": "42", "b": "2"}) == [broken.id]
    assert ids(store, tags={"customer": "4"}) == []
    assert ids(store, since=after(1)) == [broken.id, other.id]
    assert ids(store, until=after(1)) == [plain.id]
    assert ids(store, owner="ann", tags={"customer": "42"}, status=("failed",), since=after(1)) == [broken.id]


def test_q_searches_id_task_and_error(store: Store) -> None:
    one = failed(a_job(task="resize", error_message=None), error_message="disk 100% full_up")
    two = a_job(task="100x_up")
    store.record([one, two])
    assert ids(store, q=one.id[:20]) == [one.id] or one.id[:20] == two.id[:20]
    assert ids(store, q="ESIZ") == [one.id]
    assert ids(store, q="0% F") == [one.id]
    assert ids(store, q="%") == [one.id]
    assert ids(store, q="0x_") == [two.id]
    assert ids(store, q="zebra") == []


@pytest.mark.parametrize("text", ["a\0b", "'", '"', "\\", "%", "' OR 1=1 --", "🦆", "\ud800", "$.a", '"."'])
def test_hostile_text_finds_nothing_and_breaks_nothing(store: Store, text: str) -> None:
    store.record([a_job(id=new_id(), tags={"a": "b"})])
    assert ids(store, q=text) == []
    assert ids(store, task=text) == []
    assert ids(store, tags={text: "b"}) == []
    assert ids(store, tags={"a": text}) == []


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tags=st.dictionaries(TEXTS, TEXTS, min_size=1, max_size=3))
def test_any_tag_is_found_again(store: Store, tags: dict[str, str]) -> None:
    job = a_job(id=new_id(), tags=tags)
    store.record([job])
    assert job.id in ids(store, tags=tags)
    assert store.get(job.id) == job


@pytest.mark.parametrize("cursor", ["x", "====", "bm9uc2Vuc2U", "WzEsMl0", "WyIyMDI2LTAxLTAxIiwiYSJd", "é", "W10"])
def test_a_cursor_that_no_list_answered_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(BadInput) as caught:
        store.list(JobFilter(), 10, cursor)
    assert caught.value.code == "bad_cursor"


def test_consecutive_ids_are_read_in_their_order(store: Store) -> None:
    made = sorted((finished(a_job()) if number % 2 else failed(a_job()) for number in range(9)), key=lambda one: one.id)
    store.record(made[::-1])
    found = store.between(made[2].id, made[6].id, outcomes=True)
    shown = ("id", "status", "reason", "version", "result_json", "error_code", "error_message")
    assert [[getattr(one, name) for name in shown] for one in found] == [[getattr(one, name) for name in shown] for one in made[2:7]]
    assert [(one.id, one.status, one.result_json) for one in store.between(made[0].id, made[0].id, outcomes=False)] == [
        (made[0].id, made[0].status, None)
    ]
