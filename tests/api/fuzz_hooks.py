"""What schemathesis cannot know from a schema, and what would only keep it waiting."""

import json
import re
from datetime import datetime
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies as st

from api import idempotency
from millpond import codec
from millpond.errors import BadInput

GRANTED_S = 0.01

# RFC 3339 with an offset, after 1970.
_moments = st.datetimes(min_value=datetime(1970, 1, 3), timezones=st.timezones())
schemathesis.openapi.format("date-time", _moments.map(lambda moment: moment.isoformat()))

_KEY = re.compile(idempotency.HEADER.schema["pattern"])


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """Text as it is: lines are for the server to find."""
    return value.encode() if isinstance(value, str) else json.dumps(value).encode()


@schemathesis.hook
def filter_body(context: Any, body: Any) -> bool:
    """Only JSON as we take it: 64-bit numbers, at most 32 deep."""
    try:
        codec.decode(json.dumps(body).encode())
    except (BadInput, TypeError, ValueError):
        return False
    return True


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A wait that is granted is a short one; only a list knows a cursor; a key is not another body's."""
    query, headers = case.query or {}, case.headers or {}
    wait = query.get("wait")
    if isinstance(wait, int | float) and wait > GRANTED_S:
        query["wait"] = GRANTED_S
    if query.get("cursor"):
        del query["cursor"]
    key = headers.get("Idempotency-Key")
    if isinstance(key, str) and len(key) < 200 and _KEY.fullmatch(key):
        headers["Idempotency-Key"] = f'{key[:-1]}{uuid4().hex}"' if key.startswith('"') else key + uuid4().hex
