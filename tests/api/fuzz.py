"""Bodies that are nearly right: valid submissions changed as JSON, then as bytes. The same seed makes the same bodies."""

import random
from collections.abc import Iterator
from typing import Any

import orjson

_VALID: list[dict[str, Any]] = [
    {"task": "add", "args": [1, 2]},
    {"task": "echo", "args": [{"a": [1, {"b": None}], "c": "\u00e9"}], "tags": {"customer": "7"}},
    {"task": "sleep", "kwargs": {"seconds": 0.5, "job_id": "x"}, "queue": "other", "front": True},
    {"task": "add", "args": [1], "retry": {"max_attempts": 3, "backoff_s": 1.5, "jitter": 0.1}, "timeout_s": 5},
    {"task": "echo", "args": ["x" * 300], "run_at": "2999-01-01T00:00:00Z", "expires_in_s": 60},
    {"task": "echo", "delay_s": 1, "kwargs": {"value": [[[[[1]]]]]}},
]
_ODD: list[Any] = [None, True, -1, 0, 2**64 - 1, -(2**63), 1e308, -0.0, "", "\0", "a" * 5000, [], {}, [[]], {"": ""}, "2999-01-01T00:00:00"]
_TOKENS = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\\u0000", b"\\ud800", b"NaN", b"-Infinity", b"1e999", b"9" * 30, b" ", b"\0"]
_TOKENS += [
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b'"task":"add",',
    b"[" * 40,
    b'{"a":' * 40,
    b"/*",
    b"0x1",
    b"\r\n\r\n",
    b"\xf0\x9f",
]


def bodies(seed: int, count: int) -> Iterator[bytes]:
    """So many of them; some are still valid."""
    chance = random.Random(seed)
    for _ in range(count):
        document = orjson.loads(orjson.dumps(chance.choice(_VALID)))
        for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
            _change(document, chance)
        raw = bytearray(orjson.dumps(document))
        for _ in range(chance.choice((0, 0, 1, 1, 2, 8))):
            _spoil(raw, chance)
        yield bytes(raw)


def _change(node: Any, chance: random.Random) -> None:
    """One thing somewhere below is another, gone, doubled or deeper."""
    places: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
    if not places:
        return
    at = chance.choice(places)
    if isinstance(node[at], dict | list) and chance.random() < 0.6:
        _change(node[at], chance)
        return
    match chance.randrange(5):
        case 0:
            node[at] = chance.choice(_ODD)
        case 1:
            del node[at]
        case 2:
            node[at] = [node[at]] * chance.randrange(1, 40)
        case 3 if isinstance(node, dict):
            node[chance.choice(("args", "kwargs", "task", "tags", "a b", "", "x" * 200))] = node[at]
        case _:
            for _ in range(chance.choice((1, 3, 40))):
                node[at] = {"a": node[at]} if chance.random() < 0.5 else [node[at]]


def _spoil(raw: bytearray, chance: random.Random) -> None:
    """Bytes are flipped, lost, moved, or come from elsewhere."""
    at = chance.randrange(len(raw) + 1)
    end = min(len(raw), at + chance.randrange(1, 30))
    match chance.randrange(6):
        case 0:
            raw[at:end] = bytes(byte ^ (1 << chance.randrange(8)) for byte in raw[at:end])
        case 1:
            del raw[at:end]
        case 2:
            raw[at:at] = chance.choice(_TOKENS)
        case 3:
            raw[at:at] = raw[at:end] * chance.randrange(1, 5)
        case 4:
            del raw[at:]
        case _:
            raw[at:end] = chance.randbytes(end - at)
