"""The codec refuses what it must, by code and place, lets nothing else escape, and reads back what it writes."""

import contextlib
import json
import zlib
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from millpond import codec, jsonfaults
from millpond.errors import BadInput, Invalid, TooLarge, Undecodable

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20)

# JSON texts that are nearly right: each piece is now and then one that a parser is tempted by.
_STRINGS = st.sampled_from(
    ['"a"', '"a:b"', r'"\u0061"', r'"\u003a"', r'"\\u003a"', r'"\u0000"', r'"\\u0000"', r'"\ud800"', r'"\ud83d\ude00"']
)
_NUMBERS = st.sampled_from(
    ["0", "-0", "1.5", "1e400", "1E5", "-1e-9", "12345678901234567890", "99999999999999999999", "-9223372036854775809", "NaN"]
)
_LEAVES = _STRINGS | _NUMBERS | st.sampled_from(["true", "null", "[]", "{}", "-Infinity", '"[[[["', '"{\\"}"', "", ","])
_SPACE = st.sampled_from(["", "", " ", "\n\t"])
TEXTS = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(_STRINGS, _SPACE, inner), max_size=3).map(
            lambda items: "{" + ",".join(k + s + ":" + v for k, s, v in items) + "}"
        )
        | st.tuples(st.integers(25, 35), inner).map(lambda pair: "[" * pair[0] + pair[1] + "]" * pair[0])
    ),
    max_leaves=12,
).map(str.encode)


def refusal(raw: bytes, limit: int = codec.MAX_BODY_BYTES) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        codec.decode(raw, limit)
    assert caught.value.status == 400
    assert caught.value.code == caught.value.faults[0]["code"]
    assert all(fault["detail"] for fault in caught.value.faults)
    return [(fault["code"], fault["pointer"]) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("raw", "code", "pointer"),
    [
        (b"", "bad_json", "#"),
        (b" \n", "bad_json", "#"),
        (b"{", "bad_json", "#"),
        (b"[1,]", "bad_json", "#"),
        (b"01", "bad_json", "#"),
        (b"'a'", "bad_json", "#"),
        (b"\xef\xbb\xbf{}", "bad_json", "#"),
        (b'"\x00"', "bad_json", "#"),
        (b'"\xff"', "bad_utf8", "#"),
        (b'"\xed\xa0\x80"', "bad_utf8", "#"),
        (b'{"args": [NaN]}', "not_a_number", "#/args/0"),
        (b'{"args": [0, -Infinity]}', "not_a_number", "#/args/1"),
        (b'{"args": [1e400]}', "number_too_large", "#/args/0"),
        (b'{"n": ' + b"9" * 5000 + b"}", "number_too_large", "#/n"),
        (b'{"n": 18446744073709551616}', "number_too_large", "#/n"),
        (b'{"n": -9223372036854775809}', "number_too_large", "#/n"),
        (b'{"a": 1, "b": {"c": 1, "c": 1}}', "duplicate_key", "#/b/c"),
        (b'{"a": 1, "\\u0061": 1}', "duplicate_key", "#/a"),
        (b'{"a:": "\\u003a", "b": 0, "b": ":"}', "duplicate_key", "#/b"),
        (b'{"kwargs": {"a": "\\u0000"}}', "nul_character", "#/kwargs/a"),
        (b'["\\ud800"]', "lone_surrogate", "#/0"),
        (b'["\\ude00\\ud83d"]', "lone_surrogate", "#/0"),
        (b'{"\\ud800": 1}', "lone_surrogate", "#/%3F"),
        (b'{"a/b": {"m~n %": NaN}}', "not_a_number", "#/a~1b/m~0n%20%25"),
        (b"[" * 33 + b"]" * 33, "too_deep", "#" + "/0" * 32),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep", "#" + "/a" * 32),
        (b"[" * 1000 + b"]" * 1000, "too_deep", "#"),
        (b"[" * 9000, "too_deep", "#"),
        (b"[" * 100_000, "too_many_values", "#"),
        (b'{"a": [' + b"1," * 10_000 + b"1]}", "too_many_values", "#"),
        (b'[{"":0}' + b',{"":0}' * 5000 + b"]", "too_many_values", "#"),
        (b'["' + b'","' * 10_001 + b'"]', "too_many_values", "#"),
    ],
)
def test_refuses_with_code_and_place(raw: bytes, code: str, pointer: str) -> None:
    found = refusal(raw)
    assert found[0][0] == code
    if len(raw) != 2000:  # how deep a parser gets before it gives up is its own affair
        assert found == [(code, pointer)]


def test_tells_all_faults_at_once() -> None:
    assert refusal(b'{"args": [NaN, "\\u0000"], "kwargs": {"n": 1e999, "n": 2}}') == [
        ("not_a_number", "#/args/0"),
        ("nul_character", "#/args/1"),
        ("number_too_large", "#/kwargs/n"),
        ("duplicate_key", "#/kwargs/n"),
    ]
    assert len(refusal(b"[" + b",".join([b"NaN"] * 1000) + b"]")) == jsonfaults.MAX_FAULTS


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"18446744073709551615", 2**64 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b'"12345678901234567890123"', "12345678901234567890123"),
        (b"0.12345678901234567890123", 0.12345678901234568),
        (rb'["\\u0000", "\ud83d\ude00", "\u003a", "\/"]', ["\\u0000", "\U0001f600", ":", "/"]),
        (b'{"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}', {"a": {"a": {"a": 1}}, "b": [{"a": 1}, {"a": 2}]}),
        (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
        (b"[" + b",".join([b"[[]]"] * 50) + b"]", [[[]]] * 50),
        (b'["' + b"[" * 100 + rb"\"]" + b'"]', ["[" * 100 + '"]']),
        ("\u00fc\u2028\U0010ffff".join('""').encode(), "\u00fc\u2028\U0010ffff"),
        (b"[" + b"1," * 9_999 + b"1]", [1] * 10_000),
        (b'["' + b"[{," * 10_000 + b'"]', ["[{," * 10_000]),
        (b'["' + rb"\"," * 10_000 + b'"]', ['",' * 10_000]),
        (b'["' + rb"\\" * 10_000 + b'"]', ["\\" * 10_000]),
    ],
)
def test_reads(raw: bytes, value: Any) -> None:
    assert codec.decode(raw) == value


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"[" * 40 + b'"' + b'\\"' * 500_000, id="no end of a string"),
        pytest.param(b'"' * 1_000_000, id="quotes"),
        pytest.param(b"[" * 1_000_000, id="brackets"),
        pytest.param(b'{"a":' * 200_000, id="objects"),
        pytest.param(b"[" + b"9" * 1_000_000 + b"]", id="digits"),
        pytest.param(b"[1." + b"9" * 1_000_000 + b"e]", id="a fraction"),
        pytest.param(b"[" + b"NaN," * 250_000 + b"0]", id="faults"),
        pytest.param(b"{" + b",".join(b'"%d":0' % n for n in range(100_000)) + b',"0":1}', id="keys"),
        pytest.param(b" " * 1_000_000, id="nothing"),
    ],
)
def test_hostile_texts_take_no_long_time(raw: bytes) -> None:
    assert refusal(raw, limit=len(raw))


def test_refuses_more_than_the_limit() -> None:
    with pytest.raises(TooLarge) as caught:
        codec.decode(b"[1,2]", limit=4)
    assert (caught.value.status, caught.value.code) == (413, "too_large")
    assert codec.decode(b"[1,2]", limit=5) == [1, 2]


@given(st.binary(max_size=200))
@example(b'"\xf4\x90\x80\x80"')
def test_only_our_errors_escape(raw: bytes) -> None:
    with contextlib.suppress(BadInput):
        codec.decode(raw)


@given(TEXTS)
def test_the_fast_path_accepts_what_the_careful_one_does(raw: bytes) -> None:
    value, faults = jsonfaults.decode(raw)
    if faults:
        assert refusal(raw) == [(fault["code"], fault["pointer"]) for fault in faults]
    else:
        assert repr(codec.decode(raw)) == repr(value)


@given(VALUES)
def test_round_trip(value: Any) -> None:
    assert repr(codec.decode(codec.encode(value))) == repr(value)


class _Color(Enum):
    RED = "red"


class _Odd(Enum):
    NAN = float("nan")
    SET = frozenset({1})


class _Float(float):
    pass


class _Text(str):
    pass


class _Point(NamedTuple):
    x: int
    y: int


def test_writes_tuples_uuids_and_enumerations() -> None:
    id = UUID(int=7)
    assert (
        codec.encode({"a": (1, None), "b": id, "c": _Color.RED, "d": True})
        == b'{"a":[1,null],"b":"' + str(id).encode() + b'","c":"red","d":true}'
    )


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        (float("nan"), "not_a_number", "#"),
        ({"a": [0, float("-inf")]}, "not_a_number", "#/a/1"),
        ({1: "a"}, "not_json", "#/int"),
        ([{2}], "not_json", "#/0"),
        (b"bytes", "not_json", "#"),
        ([_Float(1.5)], "not_json", "#/0"),
        ([_Point(1, 2)], "not_json", "#/0"),
        (2**64, "number_too_large", "#"),
        pytest.param(10**5000, "number_too_large", "#", id="5000 digits"),
        pytest.param({10**5000: 0}, "not_json", "#/int", id="5000 digits as a key"),
        ({_Text("a"): 1}, "not_json", "#/a"),
        (_Odd.NAN, "not_a_number", "#"),
        ([_Odd.SET], "not_json", "#/0"),
        ("a\0b", "nul_character", "#"),
        ({"\0": 1}, "nul_character", "#/%00"),
        (["\udc00"], "lone_surrogate", "#/0"),
        (json.loads("[" * 33 + "]" * 33), "too_deep", "#" + "/0" * 32),
        (json.loads("[" * 300 + "]" * 300), "too_deep", "#" + "/0" * 32),
    ],
)
def test_refuses_to_write(value: Any, code: str, pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        codec.encode(value)
    assert [(fault["code"], fault["pointer"]) for fault in caught.value.faults] == [(code, pointer)]


def test_a_value_that_holds_itself_is_too_deep() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    with pytest.raises(Invalid, match="nested deeper"):
        codec.encode(loop)


@given(
    st.recursive(
        SCALARS | st.floats() | st.binary() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner)
    )
)
def test_what_is_written_can_be_read(value: Any) -> None:
    with contextlib.suppress(Invalid):
        assert repr(codec.decode(codec.encode(value))) == repr(value)


@given(TEXT.filter(bool), st.lists(VALUES, max_size=3), st.dictionaries(TEXT, VALUES, max_size=3), st.booleans())
def test_payload_round_trip(task: str, args: list[Any], kwargs: dict[str, Any], packed: bool) -> None:
    data = codec.encode_payload(task, args, kwargs)
    assert json.loads(data) == [task, None, args, kwargs]
    assert codec.decode_payload(zlib.compress(data) if packed else data) == (task, args, kwargs)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x05N.",
        b'"resize"',
        b'["resize",null,[]]',
        b'["resize",{},[],{}]',
        b"[null,null,[],{}]",
        b'["",null,[],{}]',
        b'["resize",null,{},[]]',
        b'["resize",null,[NaN],{}]',
        zlib.compress(b'["resize",null,[],{}]')[:-6],
        zlib.compress(b"\x80\x05N."),
    ],
)
def test_refuses_a_payload_of_another_kind(data: bytes) -> None:
    with pytest.raises(Undecodable):
        codec.decode_payload(data)


def test_a_packed_payload_is_bounded_while_it_is_unpacked() -> None:
    bomb = zlib.compress(b'["a",null,["' + b"x" * 50_000_000 + b'"],{}]')
    with pytest.raises(Undecodable, match="more than 1000 bytes"):
        codec.decode_payload(bomb, limit=1000)


@given(st.binary(max_size=100))
def test_only_undecodable_escapes_from_a_payload(data: bytes) -> None:
    with pytest.raises(Undecodable):
        codec.decode_payload(data)


def test_results() -> None:
    assert codec.encode_result({"a": 1}, limit=7) == b'{"a":1}'
    with pytest.raises(Invalid) as caught:
        codec.encode_result({"a": 1}, limit=6)
    assert caught.value.code == "result_too_large"
    with pytest.raises(Invalid, match="#/a: set is not") as caught:
        codec.encode_result({"a": set()}, limit=100)
    assert caught.value.code == "result_not_json"


@given(st.lists(TEXTS | VALUES.map(codec.encode), max_size=5))
@example([b'{"a":1,"a":2}', b"[]"])
@example([b'{"a":1},{"b":2}', b'{"c":1', b'"d":2}'])
@example([b'{"a":1', b'"b":2}'])
@example([b'{"\\u003a":1}', b'{"a":1,"a":2}'])
@example([b"[" * 33 + b"]" * 33])
@example([b"1" * 20])
@example([b""])
def test_many_texts_at_once_are_read_as_each_alone(texts: list[bytes]) -> None:
    if (found := codec.decode_many(texts)) is not None:
        assert found == [codec.decode(text) for text in texts]


def test_what_is_usual_is_read_at_once() -> None:
    usual = [b'{"task":"add","args":[%d,"a:b"],"kwargs":{"c":{"d":null}}}' % number for number in range(64)]
    assert codec.decode_many(usual) is not None
    assert codec.decode_many(usual, limit=40) is None
    assert codec.decode_many([*usual, b'{"a":1,"a":2}']) is None
