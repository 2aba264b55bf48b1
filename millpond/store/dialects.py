"""What PostgreSQL and SQLite say differently: the time, how a batch travels into an INSERT, how a tag is found.

PostgreSQL gets a batch as one JSON parameter, unpacked by json_to_recordset: one statement text for every size of batch,
measured at 0.9 of COPY's speed and at twice that of arrays through unnest. SQLite, in our own process, gets it row by row.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import orjson
from sqlalchemy import Boolean, ColumnElement, Table, Text, and_, bindparam, case, cast, column, exists, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite

from millpond.errors import RowRefused
from millpond.store.rows import Row
from millpond.store.tables import jobs
from millpond.store.types import JsonText

Insert = postgresql.Insert | sqlite.Insert
Value = ColumnElement[Any]
Condition = ColumnElement[bool]


class Dialect(Protocol):
    """One engine's words."""

    now: Value

    def ago(self, days: int) -> Value:
        """The database's time `days` days ago."""

    def insert(self, table: Table) -> Insert:
        """An INSERT whose rows are its parameters. The database's time goes into recorded_at of a row that says `final`, and into
        created_at where a row has none."""

    def parameters(self, rows: Sequence[Row]) -> Any:
        """The parameters of that INSERT. Raises RowRefused."""

    def tagged(self, tags: Mapping[str, str]) -> Condition:
        """That a job has all of these tags."""


class Postgres:
    """PostgreSQL 12 or later."""

    now: Value = func.clock_timestamp()

    def ago(self, days: int) -> Value:
        return self.now - func.make_interval(0, 0, 0, days)

    def insert(self, table: Table) -> Insert:
        # JSON columns travel as text: unpacked as JSON, a result `null` would become SQL's NULL.
        fields = [column(one.name, Text() if isinstance(one.type, JsonText) else one.type) for one in _carried(table)]
        unpacked = func.json_to_recordset(cast(bindparam("rows", type_=Text), postgresql.JSON))
        batch = unpacked.table_valued(*fields, column("final", Boolean)).render_derived(name="batch", with_types=True)
        values = _timed({one.name: cast(batch.c[one.name], one.type) for one in _carried(table)}, batch.c.final, self.now)
        return postgresql.insert(table).from_select(list(values), select(*values.values()))

    def parameters(self, rows: Sequence[Row]) -> Any:
        try:
            return {"rows": orjson.dumps(rows).decode()}
        except TypeError as error:  # a lone surrogate
            raise RowRefused(f"Not UTF-8: {error}") from error

    def tagged(self, tags: Mapping[str, str]) -> Condition:
        return jobs.c.tags.op("@>", is_comparison=True)(bindparam("tags", dict(tags), postgresql.JSONB))


class Sqlite:
    """SQLite 3.35 or later."""

    now: Value = literal_column("strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')")

    def ago(self, days: int) -> Value:
        return func.strftime("%Y-%m-%dT%H:%M:%f000Z", "now", f"-{days} days")

    def insert(self, table: Table) -> Insert:
        values: dict[str, Value] = {one.name: bindparam(one.name, type_=one.type) for one in _carried(table)}
        return sqlite.insert(table).values(_timed(values, bindparam("final", type_=Boolean), self.now))

    def parameters(self, rows: Sequence[Row]) -> Any:
        return rows

    def tagged(self, tags: Mapping[str, str]) -> Condition:
        return and_(*(self._has(number, key, value) for number, (key, value) in enumerate(sorted(tags.items()))))

    def _has(self, number: int, key: str, value: str) -> Condition:
        tag = func.json_each(jobs.c.tags).table_valued("key", "value", name=f"tag_{number}")
        return exists(select(1).select_from(tag).where(tag.c.key == key, tag.c.value == value))


def dialect(name: str) -> Dialect:
    """The words of `postgresql` or `sqlite`."""
    return Postgres() if name == "postgresql" else Sqlite()


def _carried(table: Table) -> list[Any]:
    return [one for one in table.c if one.name != "recorded_at"]


def _timed(values: dict[str, Value], final: Value, now: Value) -> dict[str, Value]:
    values = {**values, "recorded_at": case((final, now))}
    if "created_at" in values:
        values["created_at"] = func.coalesce(values["created_at"], now)
    return values
