"""The Prefer header (RFC 7240): what a client would like, and what of it was done."""

import re
from dataclasses import dataclass
from typing import Final

from api.described import TEXT, Header, Parameter

MAX_WAIT_S = 60  # proxies cut a silent request at about 100 s (research: features 4); answer well before

PREFER: Final = Parameter("Prefer", "header", "`wait=N` and `respond-async` (RFC 7240); other preferences are ignored.", TEXT)
APPLIED: Final = Header(
    "Preference-Applied",
    "The preferences that were heeded.",
    {"type": "string", "pattern": "^(respond-async|(respond-async, )?wait=[0-9]+)$"},
    always=False,
)

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_BLANKS = r"[ \t]*+"
# Both take time in proportion to the header: nothing in them can match in two ways. No parameter changes what we do.
_ELEMENT = re.compile(rf'(?:[^,"]|{_QUOTED}?+)++')  # between the commas of a list
_PREFERENCE = re.compile(rf"{_BLANKS}({_TOKEN}){_BLANKS}(?:={_BLANKS}({_TOKEN}|{_QUOTED})?+{_BLANKS})?+(?:;.*)?")
_SECONDS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What we can do of what a client would like. `wait_s`: whole seconds, at most 60; None where it did not say."""

    wait_s: int | None = None
    respond_async: bool = False

    def applied(self, accepted: bool, waited: bool) -> str:
        """Preference-Applied (RFC 7240, 3) of an answer: `accepted` if that is a 202, `waited` unless the wait was cut short."""
        done = ["respond-async"] if self.respond_async and accepted else []
        return ", ".join([*done, f"wait={self.wait_s}"] if waited and self.wait_s is not None else done)


def read(header: str) -> Preferences:
    """The preferences of a request, its header lines joined by commas. Names are compared without case, the first of a name counts, and
    what we do not know or cannot read is ignored (RFC 7240, 2). A bare `wait` asks for as long as may be."""
    if not header:
        return Preferences()
    asked: dict[str, str] = {}
    for element in _ELEMENT.findall(header):
        if match := _PREFERENCE.fullmatch(element):
            asked.setdefault(match[1].lower(), _unquoted(match[2] or ""))
    return Preferences(_wait_s(asked.get("wait")), asked.get("respond-async") == "")


def _unquoted(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if word.startswith('"') else word


def _wait_s(value: str | None) -> int | None:
    if value == "":  # an empty value is none (RFC 7240, 2)
        return MAX_WAIT_S
    if value is None or not _SECONDS.fullmatch(value):
        return None
    return min(int(value), MAX_WAIT_S) if len(value) < 10 else MAX_WAIT_S  # int() itself refuses very many digits
