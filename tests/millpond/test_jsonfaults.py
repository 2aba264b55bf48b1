"""Pointers are those of RFC 6901, section 6."""

import pytest

from millpond.jsonfaults import fault, pointer


@pytest.mark.parametrize(
    ("path", "written"),
    [
        ((), "#"),
        (("foo",), "#/foo"),
        (("foo", 0), "#/foo/0"),
        (("",), "#/"),
        (("a/b",), "#/a~1b"),
        (("c%d",), "#/c%25d"),
        (("e^f",), "#/e%5Ef"),
        (("g|h",), "#/g%7Ch"),
        (("i\\j",), "#/i%5Cj"),
        (('k"l',), "#/k%22l"),
        ((" ",), "#/%20"),
        (("m~n",), "#/m~0n"),
        (("\u00fc",), "#/%C3%BC"),
    ],
)
def test_pointers(path: tuple[str | int, ...], written: str) -> None:
    assert pointer(path) == written


def test_a_fault() -> None:
    assert fault(("args", 1), "wrong_type", "No.") == {"pointer": "#/args/1", "code": "wrong_type", "detail": "No."}
