"""What the database holds, by plain SQL: the product's own interface has no part in it."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

_FINAL = {"finished", "failed", "canceled", "stopped", "expired"}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table jobs. `load` and `n`: the tags that its client gave it."""

    id: str
    status: str
    attempt: int
    deaths: int
    worker: str | None
    load: str | None
    n: int | None
    result: Any
    ended_at: datetime | None
    recorded_at: datetime | None

    @property
    def final(self) -> bool:
        return self.status in _FINAL


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A row of the table attempts."""

    job_id: str
    run: int
    attempt: int
    status: str
    worker: str | None


class Record:
    """The database at a URL as MILLPOND_DATABASE_URL has it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def jobs(self, load: str) -> list[Row]:
        """The rows of jobs of one load."""
        columns = "id, status, attempt, deaths, worker, tags, result, ended_at, recorded_at"
        rows = (_row(row) for row in self._select(f"SELECT {columns} FROM jobs"))
        return [row for row in rows if row.load == load]

    def attempts(self, jobs: Collection[str]) -> list[AttemptRow]:
        """The rows of attempts of these jobs."""
        rows = (AttemptRow(*row) for row in self._select("SELECT job_id, run, attempt, status, worker FROM attempts"))
        return [row for row in rows if row.job_id in jobs]

    def _select(self, query: str) -> Sequence[tuple[Any, ...]]:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(f"file:{self.url.removeprefix('sqlite:///')}?mode=ro", uri=True, timeout=10)) as file:
                return file.execute(query).fetchall()
        with psycopg.connect(self.url, connect_timeout=5) as connection:
            return connection.execute(query.encode()).fetchall()


def _row(row: tuple[Any, ...]) -> Row:
    id, status, attempt, deaths, worker, tags, result, ended_at, recorded_at = row
    tags = _json(tags) or {}
    n = int(tags["n"]) if "n" in tags else None
    return Row(id, status, attempt or 0, deaths or 0, worker, tags.get("load"), n, _json(result), _time(ended_at), _time(recorded_at))


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def _time(value: Any) -> datetime | None:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=value.tzinfo or UTC) if value else None
