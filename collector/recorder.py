"""The recorder, the collector's main loop: from events to rows. A turn:

    read -> fold -> look -> record -> (commit) -> settle -> ack

What it dies with after `read` stays pending in Redis, and another collector does it again; every step may be done twice. Nothing
leaves Redis, neither an outcome nor an event, before the database has committed it.
"""

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from threading import Event
from time import monotonic
from typing import Final

import redis

from collector.fold import Told, fold
from collector.look import Sight, View, look
from collector.patience import Patience
from collector.pulse import Pulse
from collector.record import record
from collector.stream import Pointer, Stream
from millpond import broker, codec, failpoint, logs, metrics, moves
from millpond.errors import NotDone, OutcomeUnknown, StoreUnavailable
from millpond.job import Job
from millpond.moves import Committed
from millpond.settings import CollectorSettings
from millpond.store import Store
from millpond.times import to_ms

GATHER_S: Final = 0.05  # a turn begins at most this often, so that at low load many rows still share a commit
SETTLED_A_CALL: Final = 100  # jobs; Redis does nothing else meanwhile, about 10 ms
REMEMBERED: Final = 20_000  # jobs that were closed last: some 3 MB
PRUNE_EVERY_S: Final = 3600.0
PRUNED_A_TURN: Final = 500  # bounded, so that recording goes on meanwhile

# What scripts say that happened; a stream can hold anything, a metric's labels must not.
KINDS: Final = frozenset({"accepted", "ended", "scheduled", "requeued", "returned", "resent", "gone", "corrupt"})

log = logs.get("collector.recorder")


class Recorder:
    """Records events until it is told to stop."""

    def __init__(self, settings: CollectorSettings, client: redis.Redis, store: Store, pulse: Pulse) -> None:
        self._client = client
        self._store = store
        self._pulse = pulse
        self._stream = Stream(client, settings.batch, settings.dead_consumer_s)
        self._batch = settings.batch
        self._grace_ms = round(settings.forget_grace_s * 1000)
        self._retention_days = settings.retention_days
        self._prune_at = monotonic()
        self._hand: list[Pointer] = []  # read, and not acknowledged yet
        self._closed: dict[str, int] = {}  # of the last jobs that `recorded` closed, the version
        self._without_database = Patience(limit_s=1.0)
        self._without_redis = Patience(limit_s=0.5)

    def run(self, stop: Event) -> None:
        """Turn until `stop`, finish what is in hand if that is possible, and leave the group."""
        log.info("recording_started", consumer=self._stream.consumer)
        while not stop.is_set():
            begun = monotonic()
            full = self._turn(stop)
            self._pulse.beat("recorder")
            if not full:
                stop.wait(max(0.0, GATHER_S - (monotonic() - begun)))
        self._leave()
        log.info("recording_ended", consumer=self._stream.consumer)

    def _turn(self, stop: Event) -> bool:
        """One batch; answers whether it was full. What fails stays in hand and is tried again; nothing more is read meanwhile."""
        try:
            self._hand = self._hand or self._stream.read()
            if self._hand:
                self._collect(self._hand)
            full, self._hand = len(self._hand) >= self._batch, []
            self._prune()
            self._all_is_well()
            return full
        except StoreUnavailable as error:
            if self._without_database.lost():
                log.warning("database_lost", detail=error.detail)
            self._without_database.wait(stop)
        except (NotDone, OutcomeUnknown, redis.exceptions.RedisError) as error:
            if self._without_redis.lost():
                log.warning("redis_lost", detail=str(error))
            self._without_redis.wait(stop)
        return False

    def _collect(self, pointers: Sequence[Pointer]) -> None:
        told = fold(one for one in pointers if not self._knows(one))
        while told:
            late: list[Told] = []
            for view in look(self._client, told):
                recorded = record(self._store, view.sights)
                failpoint.hit("collector.committed")
                late += self._settle(recorded)
                _measure(view, recorded)
            told = late
        self._stream.ack(pointers)
        _count(pointers)

    def _knows(self, pointer: Pointer) -> bool:
        """Whether it tells of an end that is on record: who is behind meets the end with the job's first event already. Any other
        event, of reconcile's say, is looked at."""
        return pointer.kind == "ended" and self._closed.get(pointer.id) == pointer.version

    def _settle(self, recorded: Sequence[Sight]) -> list[Told]:
        """Tell Redis what is committed; answers the jobs that are to be looked at again.

        Not in one write with the acknowledgement: only an answered `recorded` may let the events go.
        """
        committed = [self._owned(one) for one in recorded]
        parts = [committed[at : at + SETTLED_A_CALL] for at in range(0, len(committed), SETTLED_A_CALL)]
        closed = [one for part in parts for one in broker.run(self._client, moves.recorded(part, self._grace_ms))]
        # Closed, though open when we read it: its hash went in between, and another collector has recorded that already. Our late
        # snapshot may have come over its row, so the loss is recorded again.
        late = [one.job for one, gone in zip(recorded, closed, strict=True) if gone and one.job and not one.job.final]
        self._remember(one.job for one, gone in zip(recorded, closed, strict=True) if gone and one.job and one.job.final)
        return [Told(job.id, job.version) for job in late]

    def _remember(self, ended: Iterable[Job]) -> None:
        for job in ended:
            self._closed[job.id] = job.version
        while len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]

    def _owned(self, sight: Sight) -> Committed:
        """What to tell of a job; of a lost one also what its row knew, for the counts of open jobs and bytes."""
        row = self._store.get(sight.committed.id) if sight.loss and sight.loss.listed else None
        if row is None or row.task is None or row.args is None or row.kwargs is None:
            return sight.committed
        size = len(codec.encode_payload(row.task, row.args, row.kwargs))
        return replace(sight.committed, owner=row.owner, queue=row.queue or "", bytes=size)

    def _all_is_well(self) -> None:
        if self._without_database.regained():
            log.info("database_regained")
        if self._without_redis.regained():
            log.info("redis_regained")

    def _prune(self) -> None:
        if self._retention_days and monotonic() >= self._prune_at:
            pruned = self._store.prune(self._retention_days, PRUNED_A_TURN)
            if pruned < PRUNED_A_TURN:
                self._prune_at = monotonic() + PRUNE_EVERY_S

    def _leave(self) -> None:
        with contextlib.suppress(redis.exceptions.RedisError):
            self._stream.leave()


def _count(pointers: Iterable[Pointer]) -> None:
    for one in pointers:
        metrics.EVENTS.labels(one.kind if one.kind in KINDS else "other").inc()


def _measure(view: View, recorded: Iterable[Sight]) -> None:
    now_ms = view.redis_now_ms()
    for one in recorded:
        metrics.ATTEMPTS.inc(len(one.attempts))
        if one.loss:
            metrics.RECORD_ERRORS.labels(one.loss.kind).inc()
        if one.job:
            metrics.RECORDED.labels(one.job.status).inc()
            if one.job.final and one.job.ended_at:
                metrics.RECORD_LAG_SECONDS.observe(max(0.0, now_ms - to_ms(one.job.ended_at)) / 1000)
