"""GET /v1/stats: one look at the whole."""

from collections.abc import Iterable
from typing import Any

from api import queues
from api.handler import Handler
from api.queues import Queue
from millpond.errors import Unavailable


class Stats(Handler):
    """Totals over all queues, the workers, Redis's memory, and whether jobs are taken in."""

    route = "/v1/stats"

    async def get(self) -> None:
        pressure = self.application.pressure
        seen, workers = await pressure.figures(), await queues.workers(self.application.plain)
        oldest = [one.oldest_s for one in seen.queues if one.oldest_s is not None]
        full_queues = pressure.full_queues(seen)
        reason = pressure.closed_by(seen) or self._weakness()
        self.reply(
            {
                **{name: total(seen.queues, name) for name in ("queued", "started", "scheduled", "failed")},
                "open": seen.open,
                "oldest_s": max(oldest, default=None),
                "submitted_per_s": round(seen.accepted.per_s, 3),
                "ended_per_s": round(total(seen.queues, "drain_per_s"), 3),
                "workers": {"registered": len(workers), "alive": sum(one.alive for one in workers), "jobs": sum(one.jobs for one in workers)},
                "redis": {"used_bytes": seen.memory.used, "max_bytes": seen.memory.most or None, "full_at": pressure.limits.redis_full_at or None},
                "intake": {"open": reason is None, "reason": reason, "full_queues": full_queues},
            }
        )

    def _weakness(self) -> str | None:
        try:
            self.application.readiness.demand()
        except Unavailable as error:
            return error.code
        return None


def total(rows: Iterable[Queue], name: str) -> Any:
    """The sum of one figure over all queues."""
    return sum(getattr(row, name) for row in rows)
