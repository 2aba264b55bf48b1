"""The record: what became of every job, once, in PostgreSQL or SQLite behind one interface.

Everything here may be sent again: reads change nothing, and writing the same snapshots twice gives the same rows.
"""

import builtins
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine, Executable, RowMapping, Select, delete, select, tuple_
from sqlalchemy.exc import DBAPIError

from millpond.attempt import Attempt
from millpond.errors import RowRefused
from millpond.job import Job
from millpond.store import history, loss, merge, rows
from millpond.store.dialects import dialect
from millpond.store.engines import BEGIN, STATEMENT_TIMEOUT_S, open_engine
from millpond.store.faults import translated
from millpond.store.history import JobFilter
from millpond.store.loss import Loss
from millpond.store.rows import Row
from millpond.store.tables import attempts as attempts_table
from millpond.store.tables import jobs as jobs_table

T = TypeVar("T")

MOST_ATTEMPTS: Final = 100  # read at once: a job may have had a thousand, each with a traceback and a log


class Store:
    """A database that holds the record. Thread-safe; connects when first used."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dialect = dialect(engine.dialect.name)
        self._merge_jobs = merge.merge_jobs(self._dialect)
        self._add_attempts = merge.add_attempts(self._dialect)
        self._add_losses = loss.add_losses(self._dialect)
        self._end_losses = loss.end_losses(self._dialect)

    # -- writing ------------------------------------------------------------------------------------------------------------

    def record(self, jobs: Sequence[Job], attempts: Sequence[Attempt] = (), losses: Sequence[Loss] = ()) -> None:
        """Commit snapshots of jobs, outcomes of attempts, and losses, in one transaction, by the rules of `merge` and `loss`.

        Raises RowRefused if the database refuses any value (nothing is written then), StoreUnavailable if it cannot be used.
        """
        # Writers that lock rows in one order cannot deadlock.
        snapshots = sorted((rows.of_job(one) for one in jobs), key=lambda row: (row["id"], row["version"]))
        outcomes = sorted((rows.of_attempt(one) for one in attempts), key=lambda row: (row["job_id"], row["run"], row["attempt"]))
        lost = sorted(losses, key=lambda one: one.id)

        def write(connection: Connection) -> None:
            for batch in _each_id_once(snapshots):
                self._insert(connection, self._merge_jobs, batch)
            self._insert(connection, self._add_attempts, outcomes)
            self._insert(connection, self._add_losses, [loss.added(one) for one in lost if one.listed])
            if lost:
                connection.execute(self._end_losses, [loss.ended(one) for one in lost])

        self._run(write, writes=True)

    def _insert(self, connection: Connection, statement: Executable, batch: Sequence[Row]) -> None:
        if batch:
            connection.execute(statement, self._dialect.parameters(batch))

    def prune(self, days: int, limit: int = 500) -> int:
        """Delete at most `limit` jobs, and their attempts, whose end was recorded over `days` days ago; answers how many (equal
        to `limit`: there may be more)."""
        cutoff = self._dialect.ago(days)

        def write(connection: Connection) -> int:
            old = select(jobs_table.c.id).where(jobs_table.c.created_at < cutoff, jobs_table.c.recorded_at < cutoff)
            ids = list(connection.scalars(old.order_by(jobs_table.c.created_at).limit(limit)))
            connection.execute(delete(attempts_table).where(attempts_table.c.job_id.in_(ids)))
            connection.execute(delete(jobs_table).where(jobs_table.c.id.in_(ids)))
            return len(ids)

        return self._run(write, writes=True)

    # -- reading ------------------------------------------------------------------------------------------------------------

    def get(self, id: str) -> Job | None:
        """One job's record, None if there is none."""
        found = self._read(select(jobs_table).where(jobs_table.c.id == id))
        return rows.to_job(found[0]) if found else None

    def attempts(self, id: str, after: tuple[int, int] = (0, 0)) -> builtins.list[Attempt]:
        """The recorded attempts of one job, of all its runs, in order: the newest MOST_ATTEMPTS of those that come after (run, attempt)."""
        place = (attempts_table.c.run, attempts_table.c.attempt)
        query = select(attempts_table).where(attempts_table.c.job_id == id, tuple_(*place) > tuple_(*after))
        newest = self._read(query.order_by(*(column.desc() for column in place)).limit(MOST_ATTEMPTS))
        return [rows.to_attempt(row) for row in reversed(newest)]

    def list(self, filter: JobFilter, limit: int, cursor: str | None = None) -> tuple[builtins.list[Job], str | None]:
        """A page of at most `limit` jobs, newest first, and the cursor of the next page (None: this is the last one).

        Raises BadInput (bad_cursor) for a cursor that no list answered.
        """
        found = self._read(history.page(filter, limit + 1, cursor, self._dialect))
        jobs = [rows.to_job(row) for row in found[:limit]]
        return jobs, history.cursor_after(jobs[-1]) if len(found) > limit else None

    def between(self, first: str, last: str, outcomes: bool) -> builtins.list[Job]:
        """The jobs with these ids and all between, in order: only how they stand (status, reason, version) and, with `outcomes`, their
        results and errors."""
        return [rows.to_outcome(row) for row in self._read(history.between(first, last, outcomes))]

    def _read(self, query: Select[Any]) -> Sequence[RowMapping]:
        try:
            return self._run(lambda connection: connection.execute(query).mappings().all())
        except RowRefused:
            return []  # no row has a value that the database would refuse

    # -- the database itself ------------------------------------------------------------------------------------------------

    def upgrade(self, patience_s: float = 30.0) -> None:
        """Bring the tables to this version, waiting up to `patience_s` for the database; at most one process at a time does it.

        Raises StoreUnavailable. Needs alembic (the extra `collector`).
        """
        from millpond.store.upgrade import upgrade

        upgrade(self._engine.url, patience_s)

    def ping(self) -> None:
        """Raises StoreUnavailable if the database cannot be asked, or has no tables yet."""
        self._run(lambda connection: connection.execute(select(jobs_table.c.id).limit(1)).first())

    def close(self) -> None:
        """Close the pooled connections."""
        self._engine.dispose()

    def _run(self, work: Callable[[Connection], T], *, writes: bool = False) -> T:
        """Do `work` in one transaction; once more if its connection had died while it lay in the pool."""
        with translated():
            try:
                return self._transact(work, writes)
            except DBAPIError as error:
                if not error.connection_invalidated:
                    raise
            return self._transact(work, writes)

    def _transact(self, work: Callable[[Connection], T], writes: bool) -> T:
        # A write lock that is taken at once can be waited for; one that is asked for halfway cannot (SQLITE_BUSY_SNAPSHOT).
        kind = "IMMEDIATE" if writes else "DEFERRED"
        with self._engine.connect().execution_options(**{BEGIN: kind}) as connection, connection.begin():
            return work(connection)


def _each_id_once(snapshots: Iterable[Row]) -> list[list[Row]]:
    """Sorted snapshots, split so that no id is twice in a part: one INSERT cannot meet the same row again."""
    parts: list[list[Row]] = []
    met = Counter[str]()
    for row in snapshots:
        if met[row["id"]] == len(parts):
            parts.append([])
        parts[met[row["id"]]].append(row)
        met[row["id"]] += 1
    return parts


def open_store(url: str, timeout_s: float = STATEMENT_TIMEOUT_S) -> Store:
    """The record in the database at `url`, ``postgresql://...`` or ``sqlite:///path``; BadSetting for any other.

    `timeout_s`: the longest that PostgreSQL works on one statement before that is StoreUnavailable.
    """
    return Store(open_engine(url, timeout_s))
