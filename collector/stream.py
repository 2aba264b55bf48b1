"""The stream of events, read as one consumer of the group. An event is a pointer (ADR 0002): a job's id, not its state.

What is read stays pending in Redis until it is acknowledged after the database's commit; what a dead collector left pending is
taken over. Every reader of the group may see an event, and twice: nothing depends on its being once.
"""

import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice, starmap
from time import monotonic
from typing import Any, Final

import redis

from millpond import broker, keys, logs, moves

SPANS_AT_ONCE: Final = 5  # events that point to hundreds of lines: more would be pending for longer than a dead collector's
BLOCK_MS: Final = 500  # the longest wait for an event; shorter than the socket's time-out (broker.TIMEOUT_S)

log = logs.get("collector.stream")


@dataclass(frozen=True, slots=True)
class Pointer:
    """Look at this job. `entry` names its event in the stream, and is empty where more of that event's jobs come after this one;
    `id` is empty in what no script of ours wrote."""

    entry: bytes
    id: str
    version: int
    kind: str


Entry = tuple[bytes, dict[bytes, bytes] | None]


class Stream:
    """A consumer of the group, under a name of its own: a name used again would mix two processes' pending events."""

    def __init__(self, client: redis.Redis, batch: int, dead_s: float) -> None:
        self.consumer = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._client = client
        self._batch = batch
        self._dead_ms = round(dead_s * 1000)
        self._reclaim_every_s = dead_s / 4
        self._reclaim_at = 0.0
        self._reclaim_from: Any = "0-0"
        self._count = batch
        self._rest: Iterator[Pointer] = iter(())

    def read(self) -> list[Pointer]:
        """The next pointers, at most a batch: of events that the dead left, else of new ones, waited for up to BLOCK_MS."""
        try:
            if pointers := list(islice(self._rest, self._batch)):
                return pointers
            self._rest = chain.from_iterable(starmap(_pointers, self._reclaim() or self._new()))
            return list(islice(self._rest, self._batch))
        except redis.exceptions.ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            self._create_group()
            return []

    def ack(self, pointers: Iterable[Pointer]) -> None:
        """Take events out of the stream for good."""
        entries = [one.entry for one in pointers if one.entry]
        if not entries:
            return
        with self._client.pipeline(transaction=False) as pipeline:
            # In this order: if only the first is done, XAUTOCLAIM drops what is pending of deleted entries; an entry that was
            # acknowledged and not deleted would stay for ever, and count as one that waits.
            pipeline.xdel(keys.EVENTS, *entries)
            pipeline.xack(keys.EVENTS, keys.GROUP, *entries)
            pipeline.execute()

    def leave(self) -> None:
        """Strike this consumer off the group, unless it leaves events pending: those are for others to take over."""
        mine = self._client.xpending_range(keys.EVENTS, keys.GROUP, "-", "+", 1, self.consumer)
        if not mine:
            self._client.xgroup_delconsumer(keys.EVENTS, keys.GROUP, self.consumer)

    def _create_group(self) -> None:
        # From the first event on: after a FLUSHALL the stream may hold some that came before its group.
        if broker.run(self._client, moves.enroll()):
            log.info("group_created")

    def _new(self) -> list[Entry]:
        reply: Any = self._client.xreadgroup(keys.GROUP, self.consumer, {keys.EVENTS: ">"}, count=self._count, block=BLOCK_MS)
        entries = [entry for _, found in reply for entry in found]
        self._count = min(SPANS_AT_ONCE, self._batch) if any(b"l" in (fields or {}) for _, fields in entries) else self._batch
        return entries

    def _reclaim(self) -> list[Entry]:
        if monotonic() < self._reclaim_at:
            return []
        reply: Any = self._client.xautoclaim(
            keys.EVENTS, keys.GROUP, self.consumer, self._dead_ms, start_id=self._reclaim_from, count=self._batch
        )
        self._reclaim_from, entries = reply[0], reply[1]
        if self._reclaim_from == b"0-0":
            self._reclaim_at = monotonic() + self._reclaim_every_s
            self._strike_off_the_dead()
        if entries:
            log.info("events_reclaimed", events=len(entries))
        return list(entries)

    def _strike_off_the_dead(self) -> None:
        # Long after its events went to others. One that was only paused, and reads in the instant between these two commands, loses
        # its claim on what it read; reconcile sends the events of what is then not recorded again.
        for consumer in self._client.xinfo_consumers(keys.EVENTS, keys.GROUP):
            if consumer["pending"] == 0 and consumer["idle"] > 10 * self._dead_ms:
                self._client.xgroup_delconsumer(keys.EVENTS, keys.GROUP, consumer["name"])


def _pointers(entry: bytes, fields: dict[bytes, bytes] | None) -> Iterator[Pointer]:
    """An event's pointers: one, or one for each job that ended in one call, or for each line of a batch (scripts/append.lua)."""
    fields = fields or {}
    try:
        told, kind = _jobs(fields), fields.get(b"k", b"").decode()
    except (KeyError, ValueError):
        yield Pointer(entry, "", 0, "unreadable")
        return
    for id, version in told[:-1]:
        yield Pointer(b"", id, version, kind)
    yield Pointer(entry, *told[-1], kind)


def _jobs(fields: dict[bytes, bytes]) -> list[tuple[str, int]]:
    """The jobs that an event tells of, with their versions; raises KeyError or ValueError for what no script of ours wrote."""
    ids = fields[b"j"].decode()
    if b"l" in fields:
        version = int(fields[b"v"])
        return [(moves.line_id(ids, line), version) for line in moves.lines_of(fields[b"l"].decode())]
    versions = [int(one) for one in fields[b"v"].split(b" ")]
    return list(zip(ids.split(" ", len(versions) - 1), versions, strict=True))
