"""A job as a client sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final

from millpond.states import FINAL


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed: a stable code, a sentence, and the traceback if its function raised."""

    code: str
    message: str | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job when the API answered. Times are aware UTC, durations seconds; `status` is a word of `millpond.states.State`."""

    id: str
    status: str
    task: str | None = None
    queue: str | None = None
    reason: str | None = None
    attempt: int = 0
    failures: int = 0
    max_attempts: int | None = None
    run: int = 1
    version: int = 0
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = "public"
    timeout_s: float | None = None
    worker: str | None = None
    result: Any = None
    error: JobError | None = None
    progress: Any = None
    created_at: datetime | None = None
    enqueued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    recorded_at: datetime | None = None
    run_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether it ended."""
        return self.status in FINAL

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "JobView":
        """Read the API's document; what a newer API adds is left out."""
        known = {name: value for name, value in document.items() if name in _NAMES}
        error = known.get("error")
        known["error"] = JobError(error["code"], error.get("message"), error.get("traceback")) if error else None
        for name in known.keys() & _MOMENTS:
            known[name] = datetime.fromisoformat(known[name]) if known[name] else None
        return cls(**known)


_NAMES: Final = frozenset(one.name for one in fields(JobView))
_MOMENTS: Final = frozenset(name for name in _NAMES if name.endswith("_at"))
