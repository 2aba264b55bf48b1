"""Finds every fault in a JSON text or a value, and says where: the careful half of `millpond.codec`.

The text is parsed into marks (pairs, not dicts; number texts, not numbers), so that nothing is lost before it was looked at; the
walk over them keeps its own stack, so that depth is a fault and never a RecursionError.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

MAX_DEPTH: Final = 32  # deeper data is a program's mistake or an attack; Lua, jsonb and every reader recurse over it
MAX_INTEGER: Final = 2**64 - 1  # what orjson reads and writes exactly; beyond it a JSON number is a double to most readers
MIN_INTEGER: Final = -(2**63)
MAX_FAULTS: Final = 20  # an answer is for people
MAX_NAME: Final = 128  # characters of a key in a pointer; a longer one is cut, or a fault could be as long as the body
_MAX_DIGITS: Final = 4300  # CPython's own limit for int(text), which guards against quadratic time
_SAFE_DIGITS: Final = 19  # fewer, sign included, always fit

Path = tuple[str | int, ...]
Fault = dict[str, str]
Found = tuple[Path, str, str]


def pointer(path: Sequence[str | int]) -> str:
    """A JSON Pointer in its URI fragment form (RFC 6901, section 6): ("args", 0) is ``#/args/0``; keys beyond MAX_NAME are cut."""
    return "#" + "".join(
        "/" + quote(_cut(part).replace("~", "~0").replace("/", "~1"), safe="~!$&'()*+,;=:@", errors="replace") for part in path
    )


def _cut(part: str | int) -> str:
    text = str(part)
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 3] + "..."


def fault(path: Sequence[str | int], code: str, detail: str) -> Fault:
    """One fault as HTTP shows it: where, a stable code, a sentence."""
    return {"pointer": pointer(path), "code": code, "detail": detail}


class _Number(str):
    """The text of a JSON number with a fraction or exponent, or one of JavaScript's constants."""


class _Integer(str):
    """The text of a JSON integer."""


class _Pairs(list[tuple[str, Any]]):
    """An object's members in order, before a later one could hide an earlier one."""


_marks = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_Integer, parse_float=_Number, parse_constant=_Number)


def decode(raw: bytes) -> tuple[Any, list[Fault]]:
    """The value of a JSON text and its faults; the value means nothing if there are any."""
    if not raw.strip(b" \t\r\n"):
        return None, [fault((), "bad_json", "The body is empty; a JSON text was expected.")]
    try:
        marks = _marks.decode(raw.decode())
    except UnicodeDecodeError as error:
        return None, [fault((), "bad_utf8", f"Byte {error.start} is not UTF-8.")]
    except json.JSONDecodeError as error:
        return None, [fault((), "bad_json", f"{error.msg} (line {error.lineno}, column {error.colno}).")]
    except RecursionError:
        return None, [fault((), "too_deep", f"Arrays and objects are nested deeper than {MAX_DEPTH}.")]
    faults = inspect(marks)
    return (None if faults else _value(marks)), faults


def inspect(value: Any) -> list[Fault]:
    """The faults of a value on its way out (or of a text's marks), in the order of each array or object, at most MAX_FAULTS."""
    return [fault(*found) for found in islice(_walk(value), MAX_FAULTS)]


def _walk(root: Any) -> Iterator[Found]:
    stack: list[tuple[Path, Any]] = []
    yield from _look((), root, stack)
    while stack:
        path, node = stack.pop()
        if len(path) >= MAX_DEPTH:
            yield path, "too_deep", f"Arrays and objects are nested deeper than {MAX_DEPTH}."
            continue
        inner: list[tuple[Path, Any]] = []
        if isinstance(node, dict | _Pairs):
            yield from _look_at_members(path, dict.items(node) if isinstance(node, dict) else node, inner)
        else:
            for at, child in enumerate(node):
                if not _surely_fine(child):
                    yield from _look((*path, at), child, inner)
        stack.extend(reversed(inner))


def _look_at_members(path: Path, members: Iterable[tuple[Any, Any]], inner: list[tuple[Path, Any]]) -> Iterator[Found]:
    seen: set[Any] = set()
    for key, child in members:
        if type(key) is not str:
            yield (*path, _name(key)), "not_json", f"An object's keys are text, not {type(key).__name__}."
        elif key in seen:
            yield (*path, key), "duplicate_key", "This key is given more than once."
        elif found := _text(key):
            yield (*path, key), *found
        seen.add(key)
        if not _surely_fine(child):
            yield from _look((*path, _name(key)), child, inner)


def _name(key: Any) -> str:
    return key if isinstance(key, str) else type(key).__name__


def _surely_fine(node: Any) -> bool:
    """Nearly every scalar, at the price of one call."""
    kind = type(node)
    return (
        kind is bool
        or node is None
        or (kind is str and node.isascii() and "\0" not in node)
        or (kind is _Integer and len(node) < _SAFE_DIGITS)
        or (kind is float and math.isfinite(node))
        or (kind is int and -(2**53) < node < 2**53)
    )


def _look(path: Path, node: Any, inner: list[tuple[Path, Any]]) -> Iterator[Found]:
    """The fault of one scalar; a container is put on `inner`, to be looked into later."""
    if isinstance(node, Enum):
        node = node.value
    if isinstance(node, dict | list) or type(node) is tuple:
        inner.append((path, node))
    elif not _surely_fine(node) and (found := _scalar(node)):
        yield path, *found


def _scalar(node: Any) -> tuple[str, str] | None:
    if isinstance(node, _Integer):
        return _integer(int(node) if len(node) <= _MAX_DIGITS else MAX_INTEGER + 1)
    if isinstance(node, _Number):
        return _number(float(node), node)
    if isinstance(node, str):
        return _text(node)
    if isinstance(node, UUID):
        return None
    if isinstance(node, int):
        return _integer(node)
    if type(node) is float:
        return _number(node, str(node))
    return "not_json", f"{type(node).__name__} is not a type of JSON."


def _integer(number: int) -> tuple[str, str] | None:
    if MIN_INTEGER <= number <= MAX_INTEGER:
        return None
    return "number_too_large", f"Integers go from {MIN_INTEGER} to {MAX_INTEGER}; send a longer one as text."


def _number(number: float, shown: str) -> tuple[str, str] | None:
    if math.isfinite(number):
        return None
    if shown.lstrip("-")[:1].isdigit():
        return "number_too_large", "The number is beyond the range of a double."
    return "not_a_number", f"{shown} is not a JSON number."


def _text(text: str) -> tuple[str, str] | None:
    if "\0" in text:
        return "nul_character", "Text must not hold the character NUL (U+0000)."
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        return "lone_surrogate", "Text must not hold half of a surrogate pair."
    return None


def _value(marks: Any) -> Any:
    if isinstance(marks, _Pairs):
        return {key: _value(child) for key, child in marks}
    if isinstance(marks, list):
        return [_value(child) for child in marks]
    if isinstance(marks, _Integer):
        return int(marks)
    return float(marks) if isinstance(marks, _Number) else marks
