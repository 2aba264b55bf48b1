"""Arguments bind as Python binds them, and every fault is told with its place."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from millpond.errors import BadSetting
from millpond.jsonfaults import MAX_FAULTS
from millpond.parameters import Parameters


@dataclass
class Box:
    width: int
    names: list[str]


def resize(path: str, width: int = 100, *, mode: Literal["fit", "fill"] = "fit", box: Box | None = None) -> None: ...
def anything(a, b=1, *args, **kwargs): ...  # type: ignore[no-untyped-def]
def strict(a: int, /, b: int, *, c: int) -> None: ...
def spread(*numbers: int, **names: str) -> None: ...
def clash(a: int, /, **others: int) -> None: ...
def nothing() -> None: ...
def bounded(share: Annotated[float, Field(ge=0, le=1)], sizes: dict[str, list[int]] | None = None) -> None: ...


FUNCTIONS: list[Callable[..., None]] = [resize, anything, strict, spread, clash, nothing, bounded]


def faults(function: Callable[..., None], *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
    found = Parameters.of(function.__name__, function).check(args, kwargs)
    assert all(fault["detail"] and len(fault["detail"]) <= 200 for fault in found)
    return [(fault["code"], fault["pointer"]) for fault in found]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (resize, ["a.png"], {}),
        (resize, ["a.png", 7], {"mode": "fill", "box": {"width": 1, "names": ["x"]}}),
        (resize, [], {"path": "a.png", "box": None}),
        (anything, [1, "two", None, [4]], {"five": {}}),
        (strict, [1, 2], {"c": 3}),
        (strict, [1], {"b": 2, "c": 3}),
        (spread, [1, 2, 3], {"a": "b"}),
        (clash, [1], {"a": 2}),
        (nothing, [], {}),
        (bounded, [1], {"sizes": {"a": [1, 2]}}),
        (bounded, [0.5, None], {}),
    ],
)
def test_fits(function: Callable[..., None], args: list[Any], kwargs: dict[str, Any]) -> None:
    assert faults(function, *args, **kwargs) == []


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "found"),
    [
        (resize, [], {}, [("missing_argument", "#/kwargs/path")]),
        (resize, ["a", 1, 2, 3], {}, [("too_many_arguments", "#/args/2")]),
        (resize, ["a"], {"path": "b"}, [("unexpected_argument", "#/kwargs/path")]),
        (resize, ["a"], {"hight": 1}, [("unexpected_argument", "#/kwargs/hight")]),
        (resize, [7], {"width": "7"}, [("wrong_type", "#/args/0"), ("wrong_type", "#/kwargs/width")]),
        (resize, ["a", True], {}, [("wrong_type", "#/args/1")]),
        (resize, ["a"], {"mode": "stretch"}, [("wrong_type", "#/kwargs/mode")]),
        (resize, ["a"], {"box": {"width": 1}}, [("wrong_type", "#/kwargs/box")]),
        (strict, [], {"a": 1, "b": 2, "c": 3}, [("unexpected_argument", "#/kwargs/a"), ("missing_argument", "#/args/0")]),
        (strict, [1, 2, 3], {}, [("too_many_arguments", "#/args/2"), ("missing_argument", "#/kwargs/c")]),
        (spread, [1, "2"], {"a": 1}, [("wrong_type", "#/args/1"), ("wrong_type", "#/kwargs/a")]),
        (clash, [], {"a": 1}, [("missing_argument", "#/args/0")]),
        (nothing, [1], {"x": 1}, [("too_many_arguments", "#/args/0"), ("unexpected_argument", "#/kwargs/x")]),
        (bounded, [2], {"sizes": {"a": [1, "x"], "b/c": 3}}, None),
    ],
)
def test_faults(function: Callable[..., None], args: list[Any], kwargs: dict[str, Any], found: list[tuple[str, str]] | None) -> None:
    expected = [("wrong_type", "#/args/0"), ("wrong_type", "#/kwargs/sizes")] if found is None else found
    assert faults(function, *args, **kwargs) == expected


def test_the_place_of_a_fault_inside_an_argument() -> None:
    def deep(sizes: dict[str, list[int]]) -> None: ...

    assert faults(deep, {"a": [1, "x"], "b/c": [None]}) == [("wrong_type", "#/args/0/a/1"), ("wrong_type", "#/args/0/b~1c/0")]


def test_only_the_first_faults_are_told() -> None:
    def deep(sizes: list[int], *, more: dict[str, bool]) -> None: ...

    assert len(faults(deep, ["x"] * 100_000, more={str(n): n for n in range(1000)})) == MAX_FAULTS
    assert len(faults(nothing, **{str(n): n for n in range(1000)})) == MAX_FAULTS


def test_a_sentence_is_short_whatever_was_sent() -> None:
    assert faults(resize, ["x" * 100_000]) == [("wrong_type", "#/args/0")]


NAMES = st.sampled_from(["a", "b", "c", "path", "width", "mode", "others", "numbers", "share", "z"])


@given(st.sampled_from(FUNCTIONS), st.lists(st.none(), max_size=4), st.dictionaries(NAMES, st.none(), max_size=4))
def test_binds_as_python_binds(function: Callable[..., None], args: list[None], kwargs: dict[str, None]) -> None:
    found = [code for code, _ in faults(function, *args, **kwargs) if code != "wrong_type"]
    try:
        function(*args, **kwargs)
    except TypeError:
        assert found
    else:
        assert not found


class Opaque: ...


def test_an_annotation_without_a_schema_is_refused_by_name() -> None:
    def draw(canvas: Opaque) -> None: ...
    def call(back: Callable[[], None]) -> None: ...
    def vague(thing: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(BadSetting, match=r"'draw'.*'canvas'"):
        Parameters.of("draw", draw)
    with pytest.raises(BadSetting, match=r"'call'.*'back'"):
        Parameters.of("call", call)
    with pytest.raises(BadSetting, match=r"'vague'.*Nowhere"):
        Parameters.of("vague", vague)


def test_a_return_annotation_needs_no_schema() -> None:
    def make() -> Opaque: ...  # type: ignore[empty-body]

    assert Parameters.of("make", make) == Parameters()


def test_a_form_of_call_seen_before_is_checked_as_at_first() -> None:
    parameters = Parameters.of("resize", resize)
    for _ in range(2):
        assert not parameters.check(["a", 1], {"mode": "fit"})
        assert [one["pointer"] for one in parameters.check(["a", "1"], {"mode": "fit"})] == ["#/args/1"]
        assert [one["pointer"] for one in parameters.check(["a", 1], {"mode": "wide"})] == ["#/kwargs/mode"]


def test_forms_of_calls_that_vary_for_ever_are_not_kept_for_ever() -> None:
    parameters = Parameters.of("wide", _wide())
    names = [f"a{number}" for number in range(10)]
    for number in range(10):
        for other in range(10):
            assert not parameters.check([], {names[number]: 1} | {names[other]: 1})
    assert len(parameters._forms) == 64


def _wide() -> Callable[..., None]:
    def wide(
        *, a0: int = 0, a1: int = 0, a2: int = 0, a3: int = 0, a4: int = 0, a5: int = 0, a6: int = 0, a7: int = 0, a8: int = 0, a9: int = 0
    ) -> None: ...

    return wide
