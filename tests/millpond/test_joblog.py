"""Lines of a log: written, cut into pieces, put together again, whatever their text; and damaged ones, which hurt nobody."""

from hypothesis import given, settings
from hypothesis import strategies as st

from millpond import joblog
from millpond.joblog import Line, Piece

STEADY = settings(derandomize=True, deadline=None, database=None)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
LINES = st.lists(st.tuples(st.integers(0, 2**40), st.sampled_from(["info", "stdout", "cut"]), TEXT), min_size=1)


@given(said=LINES, cuts=st.sets(st.integers(1, 30)))
@STEADY
def test_pieces_give_back_the_lines_however_they_were_cut(said: list[tuple[int, str, str]], cuts: set[int]) -> None:
    rows = [joblog.row(*one) for one in said]
    starts = sorted({0, *(cut for cut in cuts if cut < len(rows))})
    hash = {joblog.field(2, 3, at + 1): b"\n".join(rows[at:to]) for at, to in zip(starts, [*starts[1:], len(rows)], strict=True)}
    backwards = dict(reversed(hash.items()))
    texts = joblog.texts(joblog.pieces({"state": b"started", **backwards, joblog.field(1, 1, 1): b"[]"}))
    assert list(texts) == [(1, 1), (2, 3)]
    assert list(joblog.lines(texts[2, 3])) == [Line(number, *one) for number, one in enumerate(said, 1)]
    assert [line.number for line in joblog.lines(texts[2, 3], 1)] == list(range(2, len(said) + 1))


@given(name=st.text(), rows=st.binary())
@STEADY
def test_damaged_fields_are_read_as_far_as_they_can_be(name: str, rows: bytes) -> None:
    for piece in joblog.pieces({f"l:{name}": rows, "l:1:1:1": rows}):
        assert isinstance(piece, Piece)
    (text,) = joblog.texts([Piece(1, 1, 1, rows)]).values()
    numbers = [line.number for line in joblog.lines(text)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_what_is_no_row_keeps_its_number() -> None:
    assert list(joblog.lines('[1,"info","a"]\nbroken\n[3,"info","c"]'))[1:] == [Line(2, 0, "cut", "broken"), Line(3, 3, "info", "c")]
