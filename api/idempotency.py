"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): the header, and the two digests that tell a repeat from another
request under the same key."""

import re
from hashlib import blake2b
from typing import Any, Final

import orjson
from tornado.httputil import HTTPHeaders

from api.described import Header, Parameter
from millpond.errors import BadInput

MAX_KEY = 255  # characters; UUIDs have 36

# A structured field's string as the draft demands (RFC 9651 3.3.3), whose parameters mean nothing here; or bare, as most clients
# send it, without what would make two keys or a parameter of it.
_STRING = r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"'
_PLAIN = r"-?[0-9]{1,15}(?:\.[0-9]{1,3})?|[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*|:[A-Za-z0-9+/=]*:|\?[01]|@-?[0-9]{1,15}"
_PARAMETER = rf"; *[a-z*][a-z0-9_.*-]*(?:=(?:{_PLAIN}|{_STRING.replace('(', '(?:', 1)}))?"
_QUOTED = re.compile(f"{_STRING}(?:{_PARAMETER})*", re.ASCII)
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x7e]+")

HEADER: Final = Parameter(
    "Idempotency-Key",
    "header",
    "The same key with the same body answers the same job; with another body, 422. A string of printable ASCII, quoted or bare. Kept for "
    "MILLPOND_IDEMPOTENCY_H hours (24 by default), and at most eight more.",
    {"type": "string", "pattern": rf'^("([ !#-\[\]-~]|\\["\\]){{1,{MAX_KEY}}}"|[!#-+\--:<-~]{{1,{MAX_KEY}}})$'},
)
REPLAYED: Final = Header("Idempotency-Replayed", "The key had brought this job before.", {"const": "true"}, always=False)


def key_of(headers: HTTPHeaders) -> str | None:
    """The key, or None where none is sent. Raises BadInput for one that is empty, too long or not printable ASCII."""
    given = headers.get_list("Idempotency-Key")
    return read_key(given[0] if len(given) == 1 else "") if given else None


def read_key(text: str) -> str:
    """The key in the header's value. Raises BadInput."""
    key = _read(text.strip())
    if not 0 < len(key) <= MAX_KEY:
        raise BadInput(f"Idempotency-Key is one string of 1 to {MAX_KEY} printable characters.", code="bad_idempotency_key")
    return key


def _read(text: str) -> str:
    if quoted := _QUOTED.fullmatch(text):
        return re.sub(r'\\(["\\])', r"\1", quoted[1])
    return text if _BARE.fullmatch(text) else ""


def digests(owner: str, key: str, document: Any) -> tuple[bytes, bytes]:
    """16 bytes of the owner's key, 8 of the body: the same whatever the order of its members and its white space."""
    canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    # The one is looked for among all keys there are; the other only tells two bodies under one key apart.
    return blake2b(f"{owner}\0{key}".encode(), digest_size=16).digest(), blake2b(canonical, digest_size=8).digest()
