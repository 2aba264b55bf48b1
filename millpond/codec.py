"""JSON in and out, with one set of limits for API, worker and collector.

What comes in must be I-JSON (RFC 7493: UTF-8, no duplicate keys, no lone surrogates, numbers that survive a double or 64 bits)
without NUL, which PostgreSQL's jsonb cannot hold, and at most `MAX_DEPTH` deep. A fast path accepts; whatever it is not sure
of goes to the careful path, which alone refuses and knows every fault by its JSON Pointer (RFC 6901, as URI fragment).
"""

import re
import zlib
from collections.abc import Sequence
from typing import Any, Final

import orjson

from millpond import jsonfaults
from millpond.errors import BadInput, Invalid, TooLarge, Undecodable
from millpond.jsonfaults import MAX_DEPTH

MAX_BODY_BYTES: Final = 1_048_576  # default of MILLPOND_MAX_BODY_BYTES; one body is parsed in one turn of the API's loop
MAX_BODY_VALUES: Final = 10_000  # default of MILLPOND_MAX_BODY_VALUES; to look at each with care takes that loop some 4 us
# Bounds what a payload unpacks to. Four times the largest MILLPOND_MAX_BODY_BYTES: 1e15 is written as 1000000000000000.0.
MAX_PAYLOAD_BYTES: Final = 67_108_864

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_HIDDEN = re.compile(rb"\\u00(?:00|3[aA])")
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_BRACKETS_ONLY = bytes(byte for byte in range(256) if byte not in b"[]{}")
_AS_ARRAYS = bytes.maketrans(b"{}", b"[]")
_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def decode(raw: bytes, limit: int = MAX_BODY_BYTES, values: int | None = MAX_BODY_VALUES) -> Any:
    """Read one JSON text of at most `limit` bytes and about `values` values (None: any number).

    Raises TooLarge (too_large) or BadInput with every fault and where it is: bad_json, bad_utf8, duplicate_key, too_deep,
    too_many_values, number_too_large, not_a_number, lone_surrogate, nul_character. Nothing else escapes, whatever the bytes.
    """
    if len(raw) > limit:
        raise TooLarge(f"The body has {len(raw)} bytes; the limit is {limit}.", limit=limit)
    if values is not None and len(raw) > values and _separators(raw, values) > values:
        detail = f"The body has more than {values} values."
        raise BadInput(detail, code="too_many_values", faults=[jsonfaults.fault((), "too_many_values", detail)], limit=values)
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _decode_carefully(raw)
    if _is_plain(raw) and not _too_deep(raw) and raw.count(b":") == orjson.dumps(value).count(b":"):
        return value
    return _decode_carefully(raw)


def decode_many(texts: Sequence[bytes], limit: int = MAX_BODY_BYTES, values: int = MAX_BODY_VALUES) -> list[Any] | None:
    """As `decode`, for several short texts at a third of the time; None where one of them may need a closer look."""
    if max(map(len, texts), default=0) > min(limit, values):
        return None
    together = b"\n".join(texts)
    try:
        found = [orjson.loads(text) for text in texts]
    except orjson.JSONDecodeError:
        return None
    if _is_plain(together) and not any(map(_too_deep, texts)) and together.count(b":") == orjson.dumps(found).count(b":"):
        return found
    return None


def _separators(raw: bytes, enough: int) -> int:
    """Commas and opening brackets outside of strings: before each value but the first is one. More than `enough` need not be exact.

    For any bytes, in a few passes that never look at one thing twice.
    """
    if (most := _commas_and_brackets(raw)) <= enough:
        return most
    text = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if text.count(b'"') > 4 * enough:  # each value has at most two strings, itself and its key
        return most
    return _commas_and_brackets(b"".join(text.split(b'"')[::2]))


def _commas_and_brackets(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _is_plain(raw: bytes) -> bool:
    """Whether orjson, if it takes this text, or each of the texts in it, reads it as we want it, but for depth and duplicate keys.

    orjson takes NUL (always written \\u0000), turns integers beyond 64 bit into floats, and allows a depth of 1,024. It keeps
    the last of two equal keys, so its value, written again, has fewer colons than the text; only an escaped colon (\\u003a)
    could hide that. Everything else that we refuse, orjson refuses.
    """
    if b"\\u00" in raw and _HIDDEN.search(raw):
        return False
    digits = raw.translate(_DIGITS)
    return b"0" * 20 not in digits and b"-" + b"0" * 19 not in digits


def _too_deep(raw: bytes) -> bool:
    """Whether brackets are nested deeper than MAX_DEPTH: each round of `replace` takes off the innermost level.

    Only for JSON: where a string does not end, its pattern would look for the end again and again.
    """
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", raw).translate(_AS_ARRAYS, _BRACKETS_ONLY)
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _decode_carefully(raw: bytes) -> Any:
    value, faults = jsonfaults.decode(raw)
    if faults:
        first = faults[0]
        raise BadInput(f"{first['pointer']}: {first['detail']}", code=first["code"], faults=faults)
    return value


def encode(value: Any) -> bytes:
    """Write a value that somebody else made, compactly; what it writes, `decode` reads back.

    Mappings need text keys; tuples become arrays, UUIDs and enumeration members their text or value. Raises Invalid
    (not_json, with every fault) for anything else: NaN, integers beyond 64 bit, NUL, lone surrogates, dates, objects.
    """
    try:
        raw = orjson.dumps(value, option=_STRICT)
    except (TypeError, RecursionError) as error:
        raise _not_json(jsonfaults.inspect(value) or [jsonfaults.fault((), "not_json", f"{error}.")]) from error
    # orjson writes NaN and infinity as null.
    if (b"null" in raw or b"\\u0000" in raw or _too_deep(raw)) and (faults := jsonfaults.inspect(value)):
        raise _not_json(faults)
    return raw


def _not_json(faults: list[jsonfaults.Fault]) -> Invalid:
    return Invalid(f"{faults[0]['pointer']}: {faults[0]['detail']}", code="not_json", faults=faults)


def render(document: Any) -> bytes:
    """Write a document that we built ourselves from checked parts (an answer, a catalogue entry); `Raw` parts go in as they are."""
    return orjson.dumps(document)


Raw = orjson.Fragment
"""JSON text inside a document for `render`."""


def encode_payload(task: str | None, args: list[Any], kwargs: dict[str, Any]) -> bytes:
    """RQ's `data` under its JSON serializer (rq 3.0: job.py): [function name, instance, args, kwargs]; for arguments that were
    decoded here, so that they need no second look."""
    return render([task, None, args, kwargs])


def decode_payload(data: bytes, limit: int = MAX_PAYLOAD_BYTES, accepted: bool = False) -> tuple[str, list[Any], dict[str, Any]]:
    """Read RQ's `data`, plain or zlib, as (name, args, kwargs); at most `limit` bytes once unpacked. `accepted`: `decode` took it once.

    RQ's own tools compress what we wrote plainly (a dashboard's requeue). Raises Undecodable.
    """
    # A JSON array starts with 0x5B, whose low nibble is not zlib's method 8: the two never look alike.
    text = data if data[:1] in (b"[", b"") else _inflate(data, limit)
    try:
        payload = orjson.loads(text) if accepted else decode(text, limit, values=None)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"The payload is not JSON: {error}.") from error
    except BadInput as error:
        raise Undecodable(f"The payload is not JSON that we take: {error.detail}") from error
    match payload:
        case [str(name), None, list(args), dict(kwargs)] if name:
            return name, args, kwargs
    raise Undecodable("The payload is not [function name, null, args, kwargs].")


def _inflate(data: bytes, limit: int) -> bytes:
    # Bounded: 972 KB can unpack to 1 GB.
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, limit + 1)
    except zlib.error as error:
        raise Undecodable("The payload is neither JSON nor zlib.") from error
    if len(text) > limit:
        raise Undecodable(f"The payload unpacks to more than {limit} bytes.")
    if not unpacker.eof:
        raise Undecodable("The payload's zlib stream is cut short.")
    return text


def encode_result(value: Any, limit: int) -> bytes:
    """Write what a task returned. Raises Invalid: result_not_json (says where), or result_too_large."""
    try:
        raw = encode(value)
    except Invalid as error:
        raise Invalid(f"The result is not JSON: {error.detail}", code="result_not_json", faults=error.faults) from error
    if len(raw) > limit:
        raise Invalid(f"The result has {len(raw)} bytes; the limit is {limit}.", code="result_too_large")
    return raw
