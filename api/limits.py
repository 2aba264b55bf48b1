"""What a client is told whom a limit refuses: whose limit it is, how much waits, and when to come again.

The limits are judged in Redis (`scripts/common/limits.lua`); here is only said what they mean. When to come again is the time in
which a tenth of the limit is worked off at the pace of late: for one client there would be room earlier, but many come back.
"""

import asyncio
import math
import random
from collections import deque
from dataclasses import dataclass

from api import figures
from api.figures import Figures
from api.plain import Plain
from api.problems import Throttled
from millpond.errors import NotDone
from millpond.moves import Limits

FRESH_S = 1.0  # refusals tell figures at most this old: a flood of them costs Redis no more than one look a second
ROOM = 0.9  # of a limit: below it is room for the many
LONGEST_S = 600  # a client that waited longer than this would not know what has changed
BLIND_S = 30  # where nothing drains, nobody can say when
JITTER = 0.2  # refused clients must not return as one
_SPAN_S = 30  # how far back Redis's memory is remembered

OWNER_POLICY = "open-jobs"

_SAID = {
    "open-jobs": (429, "owner_quota", "You have as many jobs open as you may have."),
    "queue-jobs": (503, "queue_full", "As many jobs wait in this queue as it takes."),
    "queue-bytes": (503, "queue_full", "The open jobs of this queue have as many bytes of arguments as it takes."),
    "redis-memory": (503, "redis_full", "Redis's memory is so full that only what it holds goes on."),
}


@dataclass(frozen=True, slots=True)
class Load:
    """What a limit bounds: how much is held, at most, and how much of it goes per second."""

    held: float
    most: float
    per_s: float

    @property
    def room_s(self) -> float | None:
        """Seconds until so much is worked off that less than ROOM of the limit would be held; None: nothing goes."""
        return max(1.0, self.held - ROOM * self.most) / self.per_s if self.per_s > 0 else None


class Pressure:
    """Knows how the limits are used, as of the last second."""

    def __init__(self, plain: Plain, limits: Limits) -> None:
        self.limits = limits
        self._plain = plain
        self._figures: Figures | None = None
        self._read_at = -math.inf
        self._turn = asyncio.Lock()
        self._memory: deque[tuple[float, int]] = deque()  # (when, bytes)

    async def figures(self) -> Figures:
        """Figures at most FRESH_S old. Raises NotDone."""
        clock = asyncio.get_running_loop().time
        async with self._turn:
            if self._figures is None or clock() - self._read_at >= FRESH_S:
                self._figures = await figures.read(self._plain)
                self._read_at = clock()
                self._remember(self._read_at, self._figures.memory.used)
        return self._figures

    def _remember(self, now: float, used: int) -> None:
        self._memory.append((now, used))
        while now - self._memory[0][0] > _SPAN_S:
            self._memory.popleft()

    async def refusal(self, policy: str, owner: str, queue: str) -> Throttled:
        """The answer to a submission that `policy` refused."""
        status, code, detail = _SAID[policy]
        try:
            seen = await self.figures()
        except NotDone:  # the limit was met, whatever else can be told
            return Throttled(status, code, detail, policy, self._headers(policy, None), queue_depth=None, estimated_wait_s=None)
        row = seen.queue(queue)
        depth, pace = (row.queued, row.drain_now_per_s) if row else (0, 0.0)
        wait_s = round(depth / pace, 1) if pace else None
        headers = self._headers(policy, self._load(policy, seen, owner, queue).room_s)
        return Throttled(status, code, detail, policy, headers, queue_depth=depth, estimated_wait_s=wait_s)

    def _load(self, policy: str, seen: Figures, owner: str, queue: str) -> Load:
        limits, row = self.limits, seen.queue(queue)
        pace = row.drain_now_per_s if row else 0.0
        match policy:
            case "open-jobs":
                theirs = seen.owners.get(owner, 0)
                return Load(theirs, limits.owner_jobs, seen.ended_now_per_s * theirs / max(1, seen.open))
            case "queue-jobs":
                return Load(row.queued + row.scheduled if row else 0, limits.queue_jobs, pace)
            case "queue-bytes":
                held = seen.bytes.get(queue, 0)
                jobs = row.queued + row.scheduled + row.started if row else 0
                return Load(held, limits.queue_bytes, pace * held / max(1, jobs))
        used, most = seen.memory.used, limits.redis_full_at * seen.memory.most
        return Load(used, most, self._freed_per_s() or seen.ended_now_per_s * used / max(1, seen.open))

    def _freed_per_s(self) -> float:
        """How fast Redis's memory became less; 0 where it did not, or where that is not known yet."""
        (begun, first), (now, last) = self._memory[0], self._memory[-1]
        return max(0.0, (first - last) / (now - begun)) if now - begun >= FRESH_S else 0.0

    def _headers(self, policy: str, room_s: float | None) -> dict[str, str]:
        seconds = BLIND_S if room_s is None else min(room_s, LONGEST_S)
        window_s, after_s = math.ceil(seconds), math.ceil(seconds * random.uniform(1, 1 + JITTER))
        headers = {"Retry-After": str(after_s)}
        return headers | (self.quota(0, window_s) if policy == OWNER_POLICY else {})

    def quota(self, left: int, window_s: int | None = None) -> dict[str, str]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4): `left` more jobs, for so long."""
        policy = f'"{OWNER_POLICY}";q={self.limits.owner_jobs};qu="concurrent-requests"'
        window = "" if window_s is None else f";t={window_s}"
        return {"Ratelimit-Policy": policy, "Ratelimit": f'"{OWNER_POLICY}";r={left}{window}'}

    def closed_by(self, seen: Figures) -> str | None:
        """The code by which every submission is refused now, or None."""
        full = self.limits.redis_full_at * seen.memory.most
        return "redis_full" if full and seen.memory.used >= full else None

    def full_queues(self, seen: Figures) -> list[str]:
        """The queues that take nothing now."""
        jobs, size = self.limits.queue_jobs or math.inf, self.limits.queue_bytes or math.inf
        return [one.name for one in seen.queues if one.queued + one.scheduled >= jobs or seen.bytes.get(one.name, 0) >= size]
