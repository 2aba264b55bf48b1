"""The record: one row for each job, one for each attempt. Columns are named as the fields of `Job` and `Attempt`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Double, Index, Integer, MetaData, Table, Text

from millpond.store.types import Id, JsonText, Moment, Tags

metadata: Final = MetaData()

jobs: Final = Table(
    "jobs",
    metadata,
    Column("id", Id, primary_key=True),
    # Null while nothing but the id is known (a job that was deleted before it was ever recorded).
    Column("owner", Text),
    Column("task", Text),
    Column("queue", Text),
    Column("args", JsonText),
    Column("kwargs", JsonText),
    Column("tags", Tags),
    Column("timeout_s", Double),
    Column("retry", JsonText),
    Column("max_attempts", Integer),
    Column("rerun", Text),
    Column("created_at", Moment, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("version", BigInteger, nullable=False),
    Column("run", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("crashes", Integer, nullable=False),
    Column("result", JsonText),
    Column("worker", Text),
    Column("progress", JsonText),
    Column("enqueued_at", Moment),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("run_at", Moment),
    Column("expires_at", Moment),
    # When this run's final state was first recorded, by the database's clock; null while the job is open.
    Column("recorded_at", Moment),
)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("job_id", Id, primary_key=True),
    Column("run", Integer, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("status", Text, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("result", JsonText),
    Column("worker", Text),
    Column("execution", Text),
    Column("log", Text),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("recorded_at", Moment, nullable=False),
)

# Pages of the history, newest first: all of it, and one status of it.
Index("jobs_by_age", jobs.c.created_at, jobs.c.id)
Index("jobs_by_status", jobs.c.status, jobs.c.created_at, jobs.c.id)
Index(
    "jobs_by_tag",
    jobs.c.tags,
    postgresql_using="gin",
    postgresql_ops={"tags": "jsonb_path_ops"},
    postgresql_where=jobs.c.tags.is_not(None),
).ddl_if(dialect="postgresql")

# What a job is made of; all other columns but id and recorded_at say how it stands.
CREATION: Final = frozenset(
    {"owner", "task", "queue", "args", "kwargs", "tags", "timeout_s", "retry", "max_attempts", "rerun", "created_at"}
)
STATE: Final = frozenset(jobs.c.keys()) - CREATION - {"id", "recorded_at"}
