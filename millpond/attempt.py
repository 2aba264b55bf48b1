"""One execution of a job and how it ended: an outcome field of the job's hash, a row of `attempts`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from millpond import joblog
from millpond.errors import Undecodable
from millpond.times import from_ms

Hash = Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One execution of a job that began, and how it ended. `log`: what it said, as `millpond.joblog.lines` reads it."""

    job_id: str
    run: int
    attempt: int
    status: str
    error_code: str | None = None
    error_message: str | None = None
    error_traceback: str | None = None
    result_json: bytes | None = None
    worker: str | None = None
    execution: str | None = None
    log: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None


def attempts_from_hash(id: str, hash: Hash) -> list[Attempt]:
    """The outcomes that the hash still holds (fields ``o:{run}:{attempt}``); raises Undecodable."""
    logs = joblog.texts(joblog.pieces(hash))
    ended = [_attempt(id, name, raw) for name, raw in hash.items() if name.startswith("o:")]
    return [replace(one, log=logs[one.run, one.attempt]) if (one.run, one.attempt) in logs else one for one in ended]


def ended_fields(hash: Hash) -> list[str]:
    """The fields that tell of attempts which ended: outcomes, and the pieces of their logs."""
    outcomes = [name for name in hash if name.startswith("o:")]
    ended = {name[2:] for name in outcomes}
    return outcomes + [name for name in hash if name.startswith(joblog.FIELD) and name[2:].rpartition(":")[0] in ended]


def outcome(id: str, hash: Hash, name: str | None) -> Attempt | None:
    """The outcome in the field `name`, None where there is none (any more); raises Undecodable."""
    return _attempt(id, name, hash[name]) if name and name in hash else None


def _attempt(id: str, name: str, raw: bytes) -> Attempt:
    """One outcome field as scripts/common/lease.lua `note` writes it."""
    try:
        _, run, attempt = name.split(":")
        outcome = orjson.loads(raw)
        body = outcome["body"]
        error = body.get("error") or {}
        return Attempt(
            job_id=id,
            run=int(run),
            attempt=int(attempt),
            status=outcome["status"],
            error_code=outcome["code"] or None,
            error_message=error.get("message"),
            error_traceback=error.get("traceback") or None,
            result_json=orjson.dumps(body["result"]) if "result" in body else None,
            worker=outcome["worker"] or None,
            execution=outcome["execution"] or None,
            started_at=from_ms(outcome["started_ms"]),
            ended_at=from_ms(outcome["ended_ms"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise Undecodable(f"Field {name} is not an outcome.") from error
