"""How a batch of snapshots goes into the record (DESIGN 4, rule 8): in any order, and however often, they give the same rows.

A job's row takes its state columns only from a higher version, and within a run never an open state over a final one; of its
creation columns the first value that is known stays, but for the task: a stock producer's job may have come with a path, and gets
its task's name when it ends. An attempt's row is written once.
"""

from typing import Any

from sqlalchemy import Executable, and_, case, func, or_

from millpond.store.dialects import Dialect
from millpond.store.tables import CREATION, STATE, attempts, jobs


def add_attempts(dialect: Dialect) -> Executable:
    """The statement that adds attempts which are not there yet."""
    return dialect.insert(attempts).on_conflict_do_nothing()


def merge_jobs(dialect: Dialect) -> Executable:
    """The statement that adds jobs, or merges them into their rows. No id may be twice in one execution."""
    insert = dialect.insert(jobs)
    new, old = insert.excluded, jobs.c
    # recorded_at is set where the state is final.
    newer = and_(new.version > old.version, or_(old.recorded_at.is_(None), new.recorded_at.is_not(None), new.run > old.run))
    tells_more = or_(*(and_(old[name].is_(None), new[name].is_not(None)) for name in CREATION))
    first_recorded = case((new.run == old.run, func.coalesce(old.recorded_at, new.recorded_at)), else_=new.recorded_at)
    merged: dict[str, Any] = {name: func.coalesce(old[name], new[name]) for name in CREATION}
    merged["task"] = case((newer, func.coalesce(new.task, old.task)), else_=func.coalesce(old.task, new.task))
    merged |= {name: case((newer, new[name]), else_=old[name]) for name in STATE}
    merged["recorded_at"] = case((newer, first_recorded), else_=old.recorded_at)
    # Without the condition every repeated event would write its row again.
    return insert.on_conflict_do_update(index_elements=["id"], set_=merged, where=or_(newer, tells_more))
