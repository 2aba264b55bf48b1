"""Many events of a job are one look at it."""

from hypothesis import given
from hypothesis import strategies as st

from collector.fold import Told, fold
from collector.stream import Pointer


def pointer(id: str, version: int, kind: str = "ended") -> Pointer:
    return Pointer(b"1-1", id, version, kind)


def test_the_highest_version_of_each_job_counts() -> None:
    events = [pointer("a", 1, "accepted"), pointer("b", 3), pointer("a", 5), pointer("a", 4, "scheduled")]
    assert fold(events) == [Told("a", 5), Told("b", 3)]


def test_what_no_script_wrote_tells_of_no_job() -> None:
    assert fold([pointer("", 7)]) == []


def test_a_script_that_could_not_read_the_hash_is_believed_unless_another_could() -> None:
    assert fold([pointer("a", 0, "corrupt")]) == [Told("a", 0, corrupt=True)]
    assert fold([pointer("a", 0, "gone")]) == [Told("a", 0)]
    assert fold([pointer("a", 0, "corrupt"), pointer("a", 2)]) == fold([pointer("a", 2), pointer("a", 0, "corrupt")]) == [Told("a", 2)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), max_size=8), st.randoms())
def test_order_and_repetition_do_not_matter(events: list[tuple[str, int]], random: st.DataObject) -> None:
    pointers = [pointer(id, version) for id, version in events]
    shuffled = pointers * 2
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(fold(shuffled)) == set(fold(pointers))
