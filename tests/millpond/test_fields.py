"""A hash's fields are read by type; what nobody writes is Undecodable by the field's name."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millpond.errors import Undecodable
from millpond.fields import Fields

READERS: list[Callable[[Fields], Any]] = [
    lambda fields: fields.text("x"),
    lambda fields: fields.integer("x"),
    lambda fields: fields.decimal("x", 0.5),
    lambda fields: fields.seconds("x", 0.5),
    lambda fields: fields.json("x"),
    lambda fields: fields.mapping("x"),
    lambda fields: fields.numbers("x"),
    lambda fields: fields.moment("x", "y"),
    lambda fields: fields.moment("y", "x"),
]


@pytest.mark.parametrize("hash", [{}, {"x": b""}])
def test_absent_and_empty_are_none(hash: dict[str, bytes]) -> None:
    assert [read(Fields(hash)) for read in READERS] == [None, 0, 0.5, 0.5, None, {}, [], None, None]


def test_values() -> None:
    fields = Fields({"n": b"-7", "ms": b"1500", "t": "\u00fc".encode(), "j": b'{"a":[1]}', "l": b"[1,2.5]"})
    assert (fields.integer("n"), fields.seconds("ms", 0), fields.text("t")) == (-7, 1.5, "\u00fc")
    assert (fields.json("j"), fields.numbers("l")) == ({"a": [1]}, [1, 2.5])


def test_json_of_another_kind() -> None:
    with pytest.raises(Undecodable, match=r"Field x is not an object"):
        Fields({"x": b"[1]"}).mapping("x")
    with pytest.raises(Undecodable, match=r"Field x is not a list of numbers"):
        Fields({"x": b'["1"]'}).numbers("x")


@pytest.mark.parametrize("read", READERS[1:])
def test_nonsense_names_the_field(read: Callable[[Fields], Any]) -> None:
    with pytest.raises(Undecodable, match=r"Field .*x"):
        read(Fields({"x": b"{nonsense"}))


@given(st.binary(max_size=30))
def test_only_undecodable_escapes(raw: bytes) -> None:
    for read in READERS:
        with contextlib.suppress(Undecodable):
            read(Fields({"x": raw}))
