"""The fast tests of plain schemas agree with jsonschema, and faults say where they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from millpond.jsonschemas import MAX_DETAIL, Check

_TYPES = ("string", "integer", "number", "boolean", "null", "array", "object")
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.just({})
    | st.sampled_from(_TYPES).map(lambda name: {"type": name, "title": "A title"})
    | st.just({"enum": ["a", "b"]})
    | st.just({"enum": ["a", 1]})
    | st.just({"type": "string", "format": "date-time"})
    | st.just({"type": "integer", "minimum": 1}),
    lambda inner: (
        inner.map(lambda schema: {"type": "array", "items": schema})
        | inner.map(lambda schema: {"type": "object", "additionalProperties": schema})
        | st.just({"type": "object", "additionalProperties": True})
        | st.lists(inner, min_size=1, max_size=3).map(lambda schemas: {"anyOf": schemas})
    ),
    max_leaves=4,
)
VALUES = st.recursive(
    st.sampled_from([None, True, False, 0, 1, 1.0, 1.5, "a", "c", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@given(SCHEMAS, VALUES)
def test_agrees_with_jsonschema(schema: dict[str, Any], value: Any) -> None:
    check = Check(schema)
    assert check.fits(value) == Draft202012Validator(schema).is_valid(value)
    assert check.fits(value) == (not list(check.faults((), value)))


def test_a_fault_says_where_and_is_short() -> None:
    check = Check({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}})
    (found,) = check.faults(("args", 0), {"a": [1, "x" * 10_000]})
    assert (found["code"], found["pointer"]) == ("wrong_type", "#/args/0/a/1")
    assert len(found["detail"]) == MAX_DETAIL


def test_a_schema_fetches_no_other() -> None:
    with pytest.raises(Exception, match="Unresolvable"):
        Check({"$ref": "http://127.0.0.1:1/schema"}).fits(1)
