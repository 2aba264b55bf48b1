"""Jobs whose hash is gone from Redis, or cannot be read: all that is known of them is their id and what the record has."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import BigInteger, Executable, bindparam, case, null, or_, update

from millpond.job import Job
from millpond.states import State
from millpond.store.dialects import Dialect
from millpond.store.rows import Row, of_job
from millpond.store.tables import jobs

LossKind = Literal["deleted", "corrupt_job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A job that Redis cannot tell about any more.

    `version`: the highest that an event named, 0 if none did. `listed`: the open set held it, so it must have a row; one that
    is not listed and has no row was pruned, and stays so.
    """

    id: str
    version: int
    listed: bool
    kind: LossKind


def add_losses(dialect: Dialect) -> Executable:
    """The statement that adds rows for lost jobs which have none; before `end_losses`."""
    return dialect.insert(jobs).on_conflict_do_nothing()


def end_losses(dialect: Dialect) -> Executable:
    """The statement that ends lost jobs whose row is open, or older than the version that an event named.

    A final row of that version stays: the job had ended, and was recorded, before its hash went.
    """
    seen = bindparam("seen", type_=BigInteger)
    blank = {name: null() for name in ("error_message", "error_traceback", "result", "worker", "progress", "run_at")}
    return (
        update(jobs)
        .where(jobs.c.id == bindparam("lost"), or_(jobs.c.recorded_at.is_(None), jobs.c.version < seen))
        .values(
            **blank,
            status=bindparam("status"),
            reason=bindparam("reason"),
            error_code=bindparam("error_code"),
            version=case((jobs.c.version > seen, jobs.c.version), else_=seen) + 1,
            # Over a final row: an event told of a later run.
            run=case((jobs.c.recorded_at.is_(None), jobs.c.run), else_=jobs.c.run + 1),
            ended_at=dialect.now,
            recorded_at=dialect.now,
        )
    )


def added(loss: Loss) -> Row:
    """The parameters of `add_losses`: a bare row, still open, for `end_losses` to end."""
    # Whose it was is not known, and must not be guessed: a late snapshot may still tell.
    return of_job(Job(id=loss.id, status=State.QUEUED, version=0)) | {"owner": None, "rerun": None}


def ended(loss: Loss) -> Row:
    """The parameters of `end_losses`."""
    ends = {
        "deleted": {"status": State.CANCELED, "reason": "deleted", "error_code": None},
        "corrupt_job": {"status": State.FAILED, "reason": None, "error_code": "corrupt_job"},
    }
    return {"lost": loss.id, "seen": loss.version, **ends[loss.kind]}
