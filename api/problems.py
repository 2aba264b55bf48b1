"""Errors as RFC 9457 documents: one form for every answer that is not a success."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from millpond import codec
from millpond.errors import BadInput, MillpondError, NotDone, NotReplicated, OutcomeUnknown, StoreUnavailable

MEDIA_TYPE = "application/problem+json"
OURS = "The fault is ours; the log tells it under this request id."


class Refused(MillpondError):
    """What HTTP itself has a status for, with our code."""

    def __init__(self, status: int, code: str, detail: str = "", **data: Any) -> None:
        super().__init__(detail, code=code, **data)
        self.status = status


class Throttled(MillpondError):
    """More than a quota (429), or than we take now (503): draft-ietf-httpapi-ratelimit-headers-11, section 5. `policy` is the limit's
    name, `headers` go with the answer."""

    def __init__(self, status: int, code: str, detail: str, policy: str, headers: Mapping[str, str], **data: Any) -> None:
        super().__init__(detail, code=code, **{"violated-policies": [policy]}, **data)
        self.status = status
        self.headers = headers


_TYPES = "https://iana.org/assignments/http-problem-types#"
_THROTTLED = {
    429: (_TYPES + "quota-exceeded", "Request cannot be satisfied as assigned quota has been exceeded"),
    503: (_TYPES + "temporary-reduced-capacity", "Request cannot be satisfied due to temporary server capacity constraints"),
}


# What a client needs to know of an outage; addresses and drivers' words are for the log.
_SAID = {
    NotDone.code: "Redis does not take this now. Nothing was done.",
    OutcomeUnknown.code: "Redis did not answer in time: this was done, or it was not. Repeat a submission with its Idempotency-Key.",
    NotReplicated.code: "This was done, but too few replicas of Redis have it yet. Repeat the submission with its Idempotency-Key.",
    StoreUnavailable.code: "The database does not answer now.",
}


_SOON = frozenset({NotDone.code, OutcomeUnknown.code})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is sent for an error."""

    status: int
    code: str
    headers: dict[str, str]
    body: bytes


def problem(error: MillpondError, request_id: str = "") -> Problem:
    """The answer to an error. Retry-After goes with 429 and 503, jittered so that refused clients do not return as one; who waited for
    Redis has waited a second already."""
    phrase = HTTPStatus(error.status).phrase
    headers = {"Content-Type": MEDIA_TYPE}
    if error.status in (429, 503):
        headers["Retry-After"] = "1" if error.code in _SOON else str(random.randint(1, 2))
    detail = _SAID.get(error.code) or error.detail or phrase
    kind, title = "about:blank", phrase
    if isinstance(error, Throttled):
        kind, title = _THROTTLED[error.status]
        headers |= error.headers
    document = {"type": kind, "title": title, "status": error.status, "code": error.code, "detail": detail}
    if isinstance(error, BadInput) and error.faults:
        document["errors"] = error.faults
    document.update(error.data)
    if request_id:
        document["request_id"] = request_id
    return Problem(error.status, error.code, headers, codec.render(document))


def ours() -> MillpondError:
    """What a client hears of an error that nobody foresaw."""
    return MillpondError(OURS)
