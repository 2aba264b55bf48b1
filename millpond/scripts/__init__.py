"""The atomic moves on Redis: one Lua file each, named by its verb, with the shared helpers that it uses put before it.

A script checks, then writes; it never raises, because Redis keeps what a failed script wrote. `common/` holds the helpers, `keys.LUA`
what the names of keys stand for. ADR 0001 says why helpers are prepended and not a Functions library.
"""

import re
from collections.abc import Iterable, Iterator, Set
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

_COMMON = ("base", "held", "batch", "job", "gate", "lease", "limits", "intake", "idempotency")  # each uses those before it

# What hardly any call of the scripts of each job gets to: these helpers, and what only they use, are made when one of them is called.
# Settlers among them join those of the call then.
_RARE: dict[str, Set[str]] = {
    "claim": {"follow_rq", "adopt", "quarantine", "conclude", "gates"},
    "start": {"read", "heed", "conclude", "release", "show_start", "gates"},
    "finish": {"follow_rq", "quarantine", "drop", "open", "gates"},
}

# What a move leaves to the end of its call is written there, whichever way it returned.
_MOVE = "local function move()\n{}end\nlocal answer = move()\nsettle()\nreturn answer\n"


@cache
def load(name: str) -> Script:
    """Read the script `name` with the helpers before it; raises FileNotFoundError for an unknown verb."""
    folder = files(__package__)
    head = "#!lua\n" if name in _REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"
    move = _MOVE.format(_uncommented((folder / f"{name}.lua").read_text()))
    blocks = [block for part in _COMMON for block in _blocks((folder / "common" / f"{part}.lua").read_text())]
    text = head + spell("\n".join([*_helpers(blocks, move, _RARE.get(name, frozenset())), move]))
    return Script(name, text, sha1(text.encode(), usedforsecurity=False).hexdigest())


def spell(text: str) -> str:
    """A script's text with the keys' names spelled out as Redis has them: each of fifty locals would be caught anew by
    each function that mentions it, in each call."""
    return _KEY.sub(lambda match: f"'{keys.LUA[match[0]]}'", text)


_KEY = re.compile(rf"(?<![\w'.])(?:{'|'.join(keys.LUA)})(?![\w'])")
_BLOCK = re.compile(r"\n\n+(?=\S)")
_NAMES = re.compile(r"^(?:local (?:function )?([\w, ]+)|(\w+) = function)", re.MULTILINE)
_WORD = re.compile(r"(?<![\w.:])[A-Za-z_]\w*")  # a variable, not a field
_COMMENT = re.compile(r"[ \t]*--(?: .*)?$", re.MULTILINE)
_TEXT = re.compile(r"'[^']*'")


def _blocks(helpers: str) -> Iterator[str]:
    """Parts of a helper file that an empty line ends: a definition, or some that belong together."""
    return (_uncommented(block) for block in _BLOCK.split(helpers))


def _uncommented(block: str) -> str:
    return "\n".join(line for line in _COMMENT.sub("", block).splitlines() if line).rstrip() + "\n"


def _helpers(blocks: Iterable[str], move: str, rare: Set[str]) -> list[str]:
    """The blocks that the move needs: all that a script defines is made anew in each call. What is needed for `rare` helpers alone
    stands in one function, which the first call of any of them calls."""
    common, others = _parted(blocks, _words(move), rare)
    if not rare:
        return common
    stubs = [f"local function {name}(...) return rare().{name}(...) end" for name in sorted(rare)]
    made = f"rare_made = {{{', '.join(f'{name} = {name}' for name in sorted(rare))}}}"
    body = ["if rare_made then return rare_made end", *_parted(others, rare)[0], made, "return rare_made"]
    return ["local rare, rare_made", *stubs, *common, "rare = function()", *body, "end"]


def _parted(blocks: Iterable[str], words: Set[str], rare: Set[str] = frozenset()) -> tuple[list[str], list[str]]:
    """The blocks that define one of the words, or what such a block mentions, but for what is rare; and all others."""
    needed, rest = [], dict(enumerate(blocks))
    words = words - rare
    while found := [number for number, block in rest.items() if words & _defined(block)]:
        for number in found:
            words |= _words(rest[number]) - rare
            needed.append((number, rest.pop(number)))
    return [block for _, block in sorted(needed)], list(rest.values())


def _words(block: str) -> set[str]:
    return set(_WORD.findall(_TEXT.sub("", block)))


def _defined(block: str) -> set[str]:
    return {name for names in _NAMES.findall(block) for name in _WORD.findall(" ".join(names))}
