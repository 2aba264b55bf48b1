"""The atomic moves on Redis: one Lua file each, named by its verb, with the shared helpers put before it.

A script checks, then writes; it never raises, because Redis keeps what a failed script wrote. `common/` holds the helpers
that every script begins with, `keys.LUA` the key names. ADR 0001 says why helpers are prepended and not a Functions library.
"""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files

from millpond import keys


@dataclass(frozen=True, slots=True)
class Script:
    """One move: its verb, its whole text, and the SHA-1 under which Redis knows it."""

    name: str
    text: str
    sha: str


# What lets jobs in is refused by a full Redis; every script that drains must pass (Redis: script flags).
_REFUSED_WHEN_FULL = frozenset({"submit", "begin", "append"})

# Each uses those before it; every script is made anew in each call, so it has only what it needs.
_HELPERS = ("base", "held", "batch", "job", "gate", "lease")
_LETTING_IN = ("base", "held", "batch", "job", "limits", "intake")
_HELPERS_OF = {"submit": (*_LETTING_IN, "idempotency"), "append": _LETTING_IN, "begin": ("base", "batch")}


@cache
def load(name: str) -> Script:
    """Read the script `name` with the helpers before it; raises FileNotFoundError for an unknown verb."""
    folder = files(__package__)
    head = "#!lua\n" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"
    helpers = [(folder / "common" / f"{part}.lua").read_text() for part in _HELPERS_OF.get(name, _HELPERS)]
    parts = [keys.LUA, *helpers, (folder / f"{name}.lua").read_text()]
    text = head + "\n".join(parts)
    return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())
