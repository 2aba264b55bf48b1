"""GET /v1/stats: one look at the whole."""

from collections.abc import Iterable
from typing import Any, ClassVar

from api import queues
from api.described import TEXT, Answer, Call, Schema, listed, record
from api.handler import Handler
from api.queues import Queue, Worker
from millpond.errors import Unavailable

_COUNT: Schema = {"type": "integer", "minimum": 0}
_RATE: Schema = {"type": "number", "minimum": 0}
_STATS = record(
    **dict.fromkeys(("queued", "held", "started", "scheduled", "failed", "open"), _COUNT),
    oldest_s={"type": ["number", "null"]},
    submitted_per_s=_RATE,
    ended_per_s=_RATE,
    workers=record(registered=_COUNT, alive=_COUNT, jobs=_COUNT),
    redis=record(used_bytes=_COUNT, max_bytes={"type": ["integer", "null"]}, full_at={"type": ["number", "null"]}),
    intake=record(open={"type": "boolean"}, reason={"type": ["string", "null"]}, full_queues=listed(TEXT)),
)


class Stats(Handler):
    """Totals over all queues, the workers, Redis's memory, and whether jobs are taken in."""

    route = "/v1/stats"
    calls: ClassVar = {
        "GET": Call(
            name="readStats",
            tag="Tasks, queues, workers",
            summary="Totals over all queues, the workers, Redis's memory, and whether jobs are taken in",
            text="Figures are at most a second old.",
            answers=(Answer(200, "The totals.", _STATS),),
            refuses=("redis_unavailable",),
        )
    }

    async def get(self) -> None:
        pressure = self.application.pressure
        seen, workers = await pressure.figures(), await queues.workers(self.application.plain)
        oldest = [one.oldest_s for one in seen.queues if one.oldest_s is not None]
        reason = pressure.closed_by(seen) or self._weakness()
        memory, full_at = seen.memory, pressure.limits.redis_full_at
        self.reply(
            {
                **{name: total(seen.queues, name) for name in ("queued", "held", "started", "scheduled", "failed")},
                "open": seen.open,
                "oldest_s": max(oldest, default=None),
                "submitted_per_s": round(seen.accepted.per_s, 3),
                "ended_per_s": round(total(seen.queues, "drain_per_s"), 3),
                "workers": {"registered": len(workers), "alive": total(workers, "alive"), "jobs": total(workers, "jobs")},
                "redis": {"used_bytes": memory.used, "max_bytes": memory.most or None, "full_at": full_at or None},
                "intake": {"open": reason is None, "reason": reason, "full_queues": pressure.full_queues(seen)},
            }
        )

    def _weakness(self) -> str | None:
        try:
            self.application.readiness.demand()
        except Unavailable as error:
            return error.code
        return None


def total(rows: Iterable[Queue | Worker], name: str) -> Any:
    """The sum of one figure over all queues, or workers."""
    return sum(getattr(row, name) for row in rows)
