"""The query of GET /v1/jobs, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from api.described import TEXT, Parameter, Schema
from millpond.errors import BadInput
from millpond.job import State
from millpond.store import JobFilter

LIMIT, MAX_LIMIT = 50, 500
LIVE = frozenset({"queued", "started", "scheduled"})  # what Redis lists; everything else is the database's

_TIME: Final[Schema] = {"type": "string", "format": "date-time"}
_STATUSES: Final[Schema] = {"type": "array", "items": {"enum": [state.value for state in State]}}
_LIMIT: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": 99_999_999, "default": LIMIT}
_TAGS: Final[Schema] = {"type": "object", "propertyNames": {"pattern": r"^tag\."}, "additionalProperties": TEXT}

PARAMETERS: Final = (
    Parameter("status", "query", "In one of these states.", _STATUSES, joined=True),
    Parameter("task", "query", "Of this task.", TEXT),
    Parameter("queue", "query", "Of this queue.", TEXT),
    Parameter("since", "query", "Created then or later.", _TIME),
    Parameter("until", "query", "Created before.", _TIME),
    Parameter("q", "query", "With this as a part of the id or of the task's name.", TEXT),
    Parameter("limit", "query", f"At most so many; more than {MAX_LIMIT} is taken as {MAX_LIMIT}.", _LIMIT),
    Parameter("cursor", "query", "The `next` of the page before.", TEXT),
    Parameter("tags", "query", "`tag.NAME=VALUE`: with this tag; several must all be there.", _TAGS),
)

_NAMES = frozenset(one.name for one in PARAMETERS) - {"tags"}


@dataclass(frozen=True, slots=True)
class Query:
    """What a list was asked for."""

    filter: JobFilter
    limit: int = LIMIT
    cursor: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether only open jobs are asked for."""
        return bool(self.filter.status) and LIVE.issuperset(self.filter.status)


def read_query(values: Mapping[str, str]) -> Query:
    """Read the query parameters; raises BadInput (bad_parameter) for one that is unknown or wrong."""
    tags = {name.removeprefix("tag."): value for name, value in values.items() if name.startswith("tag.")}
    for name in values:
        if name not in _NAMES and not name.startswith("tag."):
            raise _bad(name, "There is no such parameter")
    return Query(
        JobFilter(
            status=_statuses(values.get("status")),
            task=values.get("task"),
            queue=values.get("queue"),
            tags=tags,
            since=_moment("since", values),
            until=_moment("until", values),
            q=values.get("q") or None,
        ),
        _limit(values.get("limit")),
        values.get("cursor") or None,
    )


def _statuses(value: str | None) -> tuple[str, ...]:
    words = tuple(value.split(",")) if value else ()
    for word in words:
        if word not in list(State):
            raise _bad("status", f"A status is one of {', '.join(State)}")
    return words


def _limit(value: str | None) -> int:
    if value is None:
        return LIMIT
    if not (value.isascii() and value.isdecimal() and len(value) < 9 and int(value) > 0):
        raise _bad("limit", "limit is a whole number over 0")
    return min(int(value), MAX_LIMIT)


def _moment(name: str, values: Mapping[str, str]) -> datetime | None:
    if name not in values:
        return None
    try:
        moment = datetime.fromisoformat(values[name].replace(" ", "+"))  # a + that was not escaped
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _bad(name, f"{name} is a time such as 2026-01-31T12:00:00Z")
    return moment


def _bad(name: str, detail: str) -> BadInput:
    return BadInput(detail + ".", code="bad_parameter", parameter=name)
