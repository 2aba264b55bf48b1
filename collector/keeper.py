"""The keeper: takes back the jobs of dead workers, moves what is due, repairs what is out of place, forgets what is recorded.

A thread with its own connection, which needs no database. Any number may run: each counts ticks and takes back, because every
such move checks itself (rule 5); the lock only spares the others the work that one can do for all.
"""

import secrets
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import Final, TypeVar

import redis

from collector.patience import Patience
from collector.pulse import Pulse
from millpond import broker, keys, logs, metrics, moves
from millpond.errors import NotDone, OutcomeUnknown
from millpond.moves import Call
from millpond.settings import CollectorSettings

TICK_S: Final = 0.5
LOCK_MS: Final = 2000  # four ticks: its holder renews it at each
WORK_S: Final = 0.3  # of a turn for what comes in pages: a tick that comes 1.5 s after the last clears all counts (rule 5)
PAGE: Final = 500
RECONCILE_S: Final = 0.05  # of a turn: a tenth of Redis's time at most
RECONCILE_PAGE: Final = 200
RECONCILE_EVERY_S: Final = 5.0  # from the beginning of a pass over the open set to that of the next
SEARCHES: Final = 2  # of long lists, a turn: 24 ms each at 1,000,000 ids

T = TypeVar("T")

log = logs.get("collector.keeper")


class Keeper:
    """Keeps until it is told to stop."""

    def __init__(self, settings: CollectorSettings, client: redis.Redis, pulse: Pulse) -> None:
        self._client = client
        self._pulse = pulse
        self._failed_keep = settings.failed_keep
        self._name = secrets.token_hex(8)
        self._cursor = self._waiting_from = 0
        self._next_pass_at = monotonic()
        self._without_redis = Patience(limit_s=TICK_S)

    def run(self, stop: Event) -> None:
        """Turn every TICK_S until `stop`; nothing else ends it."""
        while not stop.is_set():
            begun = monotonic()
            self._safely(self._turn)
            self._pulse.beat("keeper")
            stop.wait(max(0.0, TICK_S - (monotonic() - begun)))

    def _safely(self, turn: Callable[[], None]) -> None:
        try:
            turn()
            if self._without_redis.regained():
                log.info("redis_regained")
        except (NotDone, OutcomeUnknown, redis.exceptions.RedisError) as error:
            if self._without_redis.lost():
                log.warning("redis_lost", detail=str(error))
        except Exception:
            # Nobody else would take back the jobs of the dead, so a fault of ours must not end the thread.
            log.exception("keeper_failed")

    def _turn(self) -> None:
        deadline = monotonic() + WORK_S
        for worker in self._run(moves.tick()):
            self._take_back(worker, deadline)
        if self._holds_lock():
            self._repeat("promote", moves.promote(PAGE), deadline)
            self._set_free()
            self._reconcile()
            self._repeat("forget", moves.forget(PAGE, self._failed_keep), deadline)

    def _take_back(self, worker: str, deadline: float) -> None:
        """Take the leases of a dead worker, page by page; what cannot be taken now is met again at the next tick."""
        left = before = -1
        while (left := self._run(moves.take_back(worker))) > 0 and left != before and monotonic() < deadline:
            before = left
        if left == 0:
            metrics.DEAD_WORKERS.inc()
            log.warning("worker_taken_back", worker=worker)

    def _repeat(self, name: str, page: Call[int], deadline: float) -> None:
        moved = PAGE
        while moved == PAGE:
            moved = self._run(page)
            metrics.KEEPER_MOVES.labels(name).inc(moved)
            if monotonic() > deadline:
                return

    def _set_free(self) -> None:
        """One slice of what waits for other jobs: a turn is soon enough for whom no worker sets free."""
        self._waiting_from, freed = self._run(moves.set_free(self._waiting_from, PAGE))
        metrics.KEEPER_MOVES.labels("set_free").inc(freed)

    def _reconcile(self) -> None:
        """Go on with the pass over the open set for RECONCILE_S."""
        begun = monotonic()
        if self._cursor == 0 and begun < self._next_pass_at:
            return
        if self._cursor == 0:
            self._next_pass_at = begun + RECONCILE_EVERY_S
        searches = SEARCHES
        while True:
            found = self._run(moves.reconcile(self._cursor, RECONCILE_PAGE, searches))
            self._cursor, searches = found.cursor, 0
            for kind, repairs in found.repairs.items():
                metrics.KEEPER_MOVES.labels(kind).inc(repairs)
                log.info("jobs_repaired", kind=kind, jobs=repairs)
            if self._cursor == 0 or monotonic() - begun > RECONCILE_S:
                return

    def _holds_lock(self) -> bool:
        try:
            holder = self._client.set(keys.KEEPER, self._name, nx=True, px=LOCK_MS, get=True)
        except redis.exceptions.OutOfMemoryError:
            return True  # a full Redis takes no lock, and is what `forget` is for
        if holder == self._name.encode():
            self._client.pexpire(keys.KEEPER, LOCK_MS)
            return True
        return holder is None

    def _run(self, call: Call[T]) -> T:
        return broker.run(self._client, call)
