"""What Redis holds of jobs, read in as few round trips as memory allows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import redis

from collector.fold import Told
from millpond import keys
from millpond.attempt import ended_fields
from millpond.errors import Undecodable
from millpond.job import Attempt, Job, attempts_from_hash
from millpond.moves import Committed
from millpond.states import RQ_STATUS, State
from millpond.store import Loss, LossKind

SLICE: Final = 25  # hashes a round trip: at 2 MB each (arguments and result at their limits), 50 MB
VIEW_BYTES: Final = 4_000_000  # a view is closed beyond this: as Python objects, hostile arguments take 30 times their bytes

Hash = dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Sight:
    """One job as Redis shows it: a snapshot with the outcomes of its attempts, or a loss; and what to tell Redis after the commit."""

    committed: Committed
    job: Job | None = None
    attempts: Sequence[Attempt] = ()
    loss: Loss | None = None


# What was seen of a job that events told of: a snapshot, why there is none, or None (`_sight`).
Seen = tuple[Told, Sight | LossKind | None]


@dataclass(frozen=True, slots=True)
class View:
    """Sights of many jobs, and Redis's time when they were had."""

    sights: list[Sight]
    redis_ms: int
    taken_at: float

    def redis_now_ms(self) -> float:
        """Redis's time now, by our monotonic clock: the jobs' times are Redis's, and hosts' clocks may differ from it."""
        return self.redis_ms + (monotonic() - self.taken_at) * 1000


def look(client: redis.Redis, told: Sequence[Told]) -> Iterator[View]:
    """Read the jobs that events told of, in views of bounded size. Raises redis's errors."""
    seen: list[Seen] = []
    size = 0
    for at in range(0, len(told), SLICE):
        hashes, redis_ms, taken_at = _read(client, told[at : at + SLICE])
        for one, hash in zip(told[at : at + SLICE], hashes, strict=True):
            seen.append((one, _sight(one, hash)))
            size += sum(map(len, hash.values())) if hash else 0
            if size > VIEW_BYTES or one is told[-1]:
                yield View(_sights(client, seen), redis_ms, taken_at)
                seen, size = [], 0


def _read(client: redis.Redis, told: Sequence[Told]) -> tuple[list[Hash | None], int, float]:
    """The hashes ({}: gone, None: not a hash), Redis's time in ms, and ours at that moment."""
    with client.pipeline(transaction=False) as pipeline:
        for one in told:
            pipeline.hgetall(keys.job(one.id))
        pipeline.time()
        *replies, time = pipeline.execute(raise_on_error=False)
    hashes = [_hash(reply) for reply in replies]
    if isinstance(time, Exception):
        raise time
    return hashes, time[0] * 1000 + time[1] // 1000, monotonic()


def _hash(reply: Any) -> Hash | None:
    if not isinstance(reply, Exception):
        return dict(reply)
    if isinstance(reply, redis.exceptions.ResponseError) and str(reply).startswith("WRONGTYPE"):
        return None
    raise reply


def _sights(client: redis.Redis, seen: Sequence[Seen]) -> list[Sight]:
    lost = [(one, kind) for one, kind in seen if isinstance(kind, str)]
    return [sight for _, sight in seen if isinstance(sight, Sight)] + _losses(client, lost)


def _sight(told: Told, hash: Hash | None) -> Sight | LossKind | None:
    """A snapshot, or why there is none; None where there is nothing to record: stock RQ put the job and no script of ours has touched
    it yet (its adoption will be an event of its own), or it is on record as it stands: a collector that is behind meets a job's end
    with its first event already, and need not record it again with its last."""
    if hash == {}:
        return "deleted"
    if hash is None or told.corrupt:
        return "corrupt_job"
    if b"state" not in hash:
        if b"data" not in hash:
            return "corrupt_job"
        return None if told.version else "deleted"  # ours is gone, and stock RQ put another under its id
    try:
        return _snapshot(told.id, {name.decode(): value for name, value in hash.items()})
    except (Undecodable, UnicodeDecodeError):
        return "corrupt_job"


def _snapshot(id: str, hash: dict[str, bytes]) -> Sight | None:
    state, ended = hash["state"].decode(), ended_fields(hash)
    if state in RQ_STATUS:
        status = RQ_STATUS[State(state)].encode()
        if hash.get("recorded", b"") == hash.get("version") and hash.get("status") == status and not ended:
            return None
        # Our state alone: what one of RQ's tools did to it becomes a move, with a version of its own, in `recorded`.
        hash["status"] = status
    job = Job.from_hash(id, hash)
    if job.version < 1:
        raise Undecodable("A job of ours has a version.")  # and version 0 would tell `recorded` that there is no readable job
    return Sight(Committed(id, job.version, ended), job=job, attempts=attempts_from_hash(id, hash))


def _losses(client: redis.Redis, lost: Sequence[tuple[Told, LossKind]]) -> list[Sight]:
    if not lost:
        return []
    listed = client.smismember(keys.OPEN, [one.id for one, _ in lost])
    return [_loss(one, kind, bool(is_listed)) for (one, kind), is_listed in zip(lost, listed, strict=True)]


def _loss(told: Told, kind: LossKind, listed: bool) -> Sight:
    # A corrupt hash may still have a version that scripts read: then its final version closes it as any other's does.
    version = 0 if kind == "deleted" else told.version
    return Sight(Committed(told.id, version), loss=Loss(id=told.id, version=told.version, listed=listed, kind=kind))
