"""What a move is, and how its raw answer is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar

from millpond.scripts import Script

T = TypeVar("T")
Arg = bytes | str | int


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One script call: `args` are its ARGV, `read` turns the raw reply into a value."""

    script: Script
    args: Sequence[Arg]
    read: Callable[[Any], T]


def text(raw: Any) -> str:
    """A reply as text."""
    return raw.decode() if isinstance(raw, bytes) else str(raw)


def pairs(flat: Sequence[bytes]) -> dict[str, bytes]:
    """A flat ``[field, value, ...]`` reply as a dict."""
    return {_name(flat[i]): flat[i + 1] for i in range(0, len(flat), 2)}


@lru_cache(4096)
def _name(raw: bytes) -> str:
    return raw.decode()  # the same few names in every job
