"""GET /v1/jobs: pages of what waits and runs from Redis, of everything else from the database."""

import asyncio
import base64
import binascii
from collections.abc import Iterator
from typing import Any

import orjson

from api.lookup import Lookup
from api.places import PLACES
from api.plain import Plain
from api.query import Query
from api.queues import names
from api.records import Records
from millpond import codec
from millpond.errors import BadInput
from millpond.job import Job
from millpond.store import JobFilter
from millpond.store.history import cursor_after

STEP = 50  # jobs read at once: some of them can be a megabyte long
PAGE_BYTES = 4 << 20  # a page of long jobs ends early: the loop renders it in one turn
_SCAN = 500  # ids looked at for one page of a filtered list in Redis; the cursor goes on from there

Place = tuple[str, str, int]  # status, queue, number in PLACES


class Page:
    """Jobs as JSON texts, and the cursor after them (None: that was all)."""

    def __init__(self, limit: int) -> None:
        self.next: str | None = None
        self.room = limit
        self._jobs: list[bytes] = []
        self._size = 0

    def add(self, job: Job) -> None:
        """Put a job behind the others."""
        self._jobs.append(codec.render(job.public()))
        self._size += len(self._jobs[-1])
        self.room -= 1

    def is_full(self) -> bool:
        """Whether nothing more should go in."""
        return self.room <= 0 or self._size > PAGE_BYTES

    def document(self) -> dict[str, Any]:
        """As HTTP shows it."""
        return {"jobs": [codec.Raw(job) for job in self._jobs], "next": self.next}


class Listing:
    """Answers pages."""

    def __init__(self, plain: Plain, lookup: Lookup, records: Records) -> None:
        self._plain = plain
        self._lookup = lookup
        self._records = records

    async def page(self, query: Query) -> Page:
        """One page. Raises BadInput (bad_cursor), NotDone or StoreUnavailable."""
        return await (self._live(query) if query.is_live else self._recorded(query))

    async def _recorded(self, query: Query) -> Page:
        page = Page(query.limit)
        page.next = query.cursor
        while not page.is_full():
            rows, page.next = await self._records.list(query.filter, min(page.room, STEP), page.next)
            for row, job in zip(rows, await asyncio.gather(*map(self._as_now, rows)), strict=True):
                page.add(job)
                if page.is_full() and row is not rows[-1]:
                    page.next = cursor_after(row)
                    return page
            if page.next is None:
                break
        return page

    async def _as_now(self, row: Job) -> Job:
        """A row that is not final may be older than the truth."""
        if row.final:
            return row
        _, live = await self._lookup.live(row.id)
        return live if live and live.version >= row.version else await self._records.get(row.id) or row

    async def _live(self, query: Query) -> Page:
        page = Page(query.limit)
        place, token = _resume(query.cursor)
        looked = 0
        for at in _places(query.filter, await names(self._plain)):
            if at < place:
                continue
            place, token = at, token if at == place else ""
            status, queue, number = place
            while items := await PLACES[status][number](self._plain, queue, token, min(query.limit, STEP)):
                found = await asyncio.gather(*(self._lookup.live(id) for id, _ in items))
                for (_, token), (_, job) in zip(items, found, strict=True):
                    looked += 1
                    if job and job.status == status and _fits(job, query.filter):
                        page.add(job)
                    if page.is_full() or looked >= _SCAN:
                        page.next = _cursor(place, token)
                        return page
        return page


def _places(filter: JobFilter, queues: list[str]) -> Iterator[Place]:
    for status in sorted(set(filter.status)):
        for queue in queues if filter.queue is None else [filter.queue]:
            for number in range(len(PLACES[status])):
                yield status, queue, number


def _fits(job: Job, filter: JobFilter) -> bool:
    """As the database's conditions (store/history.py)."""
    return (
        filter.task in (None, job.task)
        and all(job.tags.get(name) == value for name, value in filter.tags.items())
        and (filter.since is None or bool(job.created_at and job.created_at >= filter.since))
        and (filter.until is None or bool(job.created_at and job.created_at < filter.until))
        and (filter.q is None or any(filter.q.lower() in text.lower() for text in (job.id, job.task or "")))
    )


def _cursor(place: Place, token: str) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([*place, token])).rstrip(b"=").decode()


def _resume(cursor: str | None) -> tuple[Place, str]:
    if cursor is None:
        return ("", "", 0), ""
    try:
        match orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)):
            case [str(status), str(queue), int(number), str(token)]:
                return (status, queue, number), token
    except (binascii.Error, ValueError):
        pass
    raise BadInput("The cursor is not one that a list answered.", code="bad_cursor")
