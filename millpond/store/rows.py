"""Jobs and attempts as rows, and back. A value that no text can hold is refused here, before any database sees it."""

from typing import Any, Final

import orjson
from sqlalchemy import RowMapping

from millpond.attempt import Attempt
from millpond.errors import RowRefused
from millpond.job import Job
from millpond.retry import RetryPolicy
from millpond.store.tables import attempts, jobs

Row = dict[str, Any]

# Columns that hold the field of the same name as it is.
_OTHER: Final = {"owner", "rerun", "args", "kwargs", "tags", "retry", "progress", "result", "recorded_at"}
# SQLAlchemy's names are a kind of str that orjson takes for no key.
_PLAIN_JOB: Final = [str(one.name) for one in jobs.c if one.name not in _OTHER]
_PLAIN_ATTEMPT: Final = [str(one.name) for one in attempts.c if one.name not in _OTHER]


def of_job(job: Job) -> Row:
    """The row of one job. `final` is no column: it says whether recorded_at is to be set. Raises RowRefused."""
    row = {name: getattr(job, name) for name in _PLAIN_JOB}
    row["owner"] = job.owner
    row["rerun"] = job.rerun
    row["args"] = _json(job.args)
    row["kwargs"] = _json(job.kwargs)
    row["tags"] = _json(job.tags or None)
    row["retry"] = _json(job.retry)
    row["progress"] = _json(job.progress)
    row["result"] = _text(job.result_json)
    row["final"] = job.final
    return row


def of_attempt(attempt: Attempt) -> Row:
    """The row of one attempt. Raises RowRefused."""
    row = {name: getattr(attempt, name) for name in _PLAIN_ATTEMPT}
    row["result"] = _text(attempt.result_json)
    row["final"] = True
    return row


def to_job(row: RowMapping) -> Job:
    """The job of one row of `jobs`."""
    retry = _value(row["retry"])
    return Job(
        **{name: row[name] for name in _PLAIN_JOB},
        owner=row["owner"] or "public",
        rerun=row["rerun"] or "always",
        args=_value(row["args"]),
        kwargs=_value(row["kwargs"]),
        tags=_value(row["tags"]) or {},
        retry=RetryPolicy(**retry) if retry else None,
        progress=_value(row["progress"]),
        result_json=_bytes(row["result"]),
        recorded_at=row["recorded_at"],
    )


def to_outcome(row: RowMapping) -> Job:
    """The job of one row that has not all columns of `jobs`."""
    values = dict(row)
    result = values.pop("result", None)
    return Job(**values, result_json=_bytes(result))


def to_attempt(row: RowMapping) -> Attempt:
    """The attempt of one row of `attempts`."""
    return Attempt(
        **{name: row[name] for name in _PLAIN_ATTEMPT},
        result_json=_bytes(row["result"]),
        recorded_at=row["recorded_at"],
    )


def _json(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return orjson.dumps(value).decode()
    except TypeError as error:
        raise RowRefused(f"Not JSON: {error}") from error


def _text(raw: bytes | None) -> str | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError as error:
        raise RowRefused(f"Not UTF-8: {error}") from error


def _value(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
