"""Reading the record in pages, newest first: what to look for, and where a page ends."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Select, bindparam, false, or_, select, tuple_

from millpond.errors import BadInput
from millpond.job import Job
from millpond.store.dialects import Condition, Dialect
from millpond.store.tables import jobs
from millpond.store.types import Id, Moment

STANDING: Final = ("id", "status", "reason", "version")
OUTCOME: Final = ("error_code", "error_message", "error_traceback", "result")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list; what is left out does not restrict.

    `status`: any of these. `tags`: all of these, by equality. `since` (included) and `until` (not included) bound created_at.
    `q`: text that the id, the task or the error's message contains, whatever its case.
    """

    status: tuple[str, ...] = ()
    task: str | None = None
    queue: str | None = None
    owner: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


def page(filter: JobFilter, limit: int, cursor: str | None, dialect: Dialect) -> Select[Any]:
    """The query for the first `limit` jobs after `cursor`. Raises BadInput (bad_cursor)."""
    query = select(jobs).where(*_conditions(filter, dialect))
    if cursor:
        created_at, id = _place(cursor)
        after = tuple_(bindparam("created", created_at, Moment), bindparam("after", id, Id))
        query = query.where(tuple_(jobs.c.created_at, jobs.c.id) < after)
    return query.order_by(jobs.c.created_at.desc(), jobs.c.id.desc()).limit(limit)


def between(first: str, last: str, outcomes: bool) -> Select[Any]:
    """The query for the jobs with these ids and all between: how each stands and, with `outcomes`, what came of it."""
    columns = [jobs.c[name] for name in (*STANDING, *(OUTCOME if outcomes else ()))]
    inside = (jobs.c.id >= bindparam("first", first, Id), jobs.c.id <= bindparam("last", last, Id))
    return select(*columns).where(*inside).order_by(jobs.c.id)


def cursor_after(job: Job) -> str:
    """Where the page that ends with this job ends: opaque to callers, safe in a URL."""
    assert job.created_at
    text = orjson.dumps([job.created_at.isoformat(), job.id])
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        created_at, id = orjson.loads(text)
        moment = datetime.fromisoformat(created_at)
        if moment.tzinfo and isinstance(id, str):
            return moment, id
    except (binascii.Error, ValueError, TypeError):
        pass
    raise BadInput("The cursor is not one that a list answered.", code="bad_cursor")


def _conditions(filter: JobFilter, dialect: Dialect) -> list[Condition]:
    found: list[Condition] = []
    if filter.status:
        found.append(jobs.c.status.in_(filter.status))
    for name in ("task", "queue", "owner"):
        if (wanted := getattr(filter, name)) is not None:
            found.append(jobs.c[name] == wanted)
    if filter.since:
        found.append(jobs.c.created_at >= filter.since)
    if filter.until:
        found.append(jobs.c.created_at < filter.until)
    if filter.tags:
        found.append(dialect.tagged(filter.tags))
    if filter.q:
        searched = (jobs.c.id, jobs.c.task, jobs.c.error_message)
        # SQLite would read the text up to a NUL.
        found.append(false() if "\0" in filter.q else or_(*(one.icontains(filter.q, autoescape=True) for one in searched)))
    return found
