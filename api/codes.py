"""Every code that a problem document, or a fault in its `errors`, can carry, and what it means: /openapi.json and the tables of
docs/http.md are made from here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Code:
    """A problem's code. `meaning` is a sentence without its full stop."""

    word: str
    status: int
    meaning: str


_UNREADABLE: Final[dict[str, str]] = {
    "bad_json": "the body is not one JSON text",
    "bad_utf8": "the body is not UTF-8",
    "duplicate_key": "an object gives a key twice",
    "too_deep": "arrays and objects are nested deeper than 32",
    "too_many_values": "the body holds more values than `limit`",
    "number_too_large": "a number fits neither 64 bits nor a double",
    "not_a_number": "NaN and infinity are not JSON",
    "lone_surrogate": "half a UTF-16 pair is not text",
    "nul_character": "U+0000 is text that a database cannot hold",
}

_PROBLEMS: Final[dict[int, dict[str, str]]] = {
    400: {
        "malformed": "the request is not valid HTTP",
        **_UNREADABLE,
        "bad_parameter": "a query parameter is unknown, wrong or given twice; `parameter` names it",
        "bad_cursor": "the cursor is not one that a list answered",
        "bad_idempotency_key": "the key is empty, too long or not printable ASCII",
    },
    404: {"not_found": "there is no such job, batch or path"},
    405: {"method_not_allowed": "the path has other methods; `Allow` lists them"},
    406: {"not_acceptable": "Accept excludes what this answers"},
    408: {"request_timeout": "the head or the body did not come in time"},
    409: {
        "wrong_state": "the job's or batch's state does not allow the move; `state` tells it",
        "nothing_to_retry": "the record holds no readable payload",
    },
    412: {"version_mismatch": "the job has none of the versions that If-Match names; `version` tells which it has"},
    413: {"too_large": "the body, or a batch's line, has more bytes than `limit`"},
    414: {"url_too_long": "the URL has more bytes than `limit`"},
    415: {"unsupported_media_type": "the body is not sent as application/json, or, for a batch, as application/x-ndjson"},
    422: {
        "validation_failed": "the body is JSON and breaks rules; `errors` lists them all",
        "unknown_task": "no worker offers this task",
        "idempotency_key_reused": "the same Idempotency-Key came with another body before",
    },
    429: {"owner_quota": "the owner has as many open jobs as it may; nothing was done"},
    431: {"headers_too_large": "the head has more bytes, or more lines, than `limit`"},
    500: {"internal_error": "a fault of ours, logged under the `request_id`"},
    503: {
        "redis_unavailable": "Redis does not take this now; nothing was done",
        "database_unavailable": "the database does not answer now",
        "durability_weak": "Redis would not keep what 202 promises; nothing was done",
        "replicas_missing": "Redis has fewer replicas than must have a job; nothing was done",
        "no_catalogue": "no worker has published its tasks yet; nothing was done",
        "queue_full": "as many jobs wait in the queue, or bytes, as may; nothing was done",
        "redis_full": "Redis's memory is as full as may be; nothing was done",
        "draining": "this replica is about to stop",
        "too_many_connections": "this replica has as many connections as it takes; nothing was done",
        "broken_key": "a key in Redis holds something else; nothing was done",
        "not_replicated": "it was done, but too few replicas of Redis have it: repeat with the same Idempotency-Key",
        "outcome_unknown": "it was done or it was not: repeat with the same Idempotency-Key",
    },
}

PROBLEMS: Final = {word: Code(word, status, meaning) for status, words in _PROBLEMS.items() for word, meaning in words.items()}

UNREADABLE: Final = tuple(_UNREADABLE)
"""Codes of a body that is not JSON as we take it (`millpond.codec.decode`)."""

FAULTS: Final[dict[str, str]] = _UNREADABLE | {
    "missing_field": "a required member is not there",
    "unknown_field": "there is no such member",
    "wrong_type": "a value is not of its type",
    "out_of_range": "a number is too small or too large",
    "too_long": "text, or a list of members, is too long",
    "bad_name": "a name does not have the form of names",
    "bad_value": "a value breaks its rule",
    "conflicting_fields": "two members exclude each other",
    "unknown_task": "no worker offers this task",
    "missing_argument": "the task needs this argument",
    "unexpected_argument": "the task does not take this argument, or it is given twice",
    "too_many_arguments": "the task takes fewer arguments by position",
}


def by_status(words: Iterable[str]) -> dict[int, list[Code]]:
    """Codes in the table's order, grouped. Raises KeyError for one that is not in it."""
    wanted = {PROBLEMS[word] for word in words}
    grouped: dict[int, list[Code]] = {}
    for code in PROBLEMS.values():
        if code in wanted:
            grouped.setdefault(code.status, []).append(code)
    return grouped
