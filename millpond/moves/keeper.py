"""What a collector and its keeper do: record, repair, take back, forget."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from millpond import keys
from millpond.moves.call import Arg, Call, pairs, text
from millpond.scripts import load


def tick() -> Call[list[str]]:
    """Count a tick and name the workers that are dead (rule 5)."""
    return Call(load("tick"), [], lambda raw: [text(one) for one in raw])


def take_back(worker: str, limit: int = 200) -> Call[int]:
    """Take at most `limit` leases of a dead worker; -1: it is not dead; 0: done and unregistered; else leases left."""
    return Call(load("take_back"), [worker, limit], int)


def promote(limit: int = 500) -> Call[int]:
    """Move what is due from the schedules to its queue; answers how many moved (equal to `limit`: call again)."""
    return Call(load("promote"), [limit], int)


def set_free(at: int, limit: int = 500) -> Call[tuple[int, int]]:
    """Queue what stock producers put to wait for other jobs (`depends_on`) and waits for none now. Answers where the next call goes on
    (0: a pass ended), and how many were queued."""
    return Call(load("set_free"), [at, limit], lambda raw: (int(raw[0]), int(raw[1])))


@dataclass(frozen=True, slots=True)
class Reconciled:
    """`cursor` for the next call (0: a pass ended), how many ids were looked at, and {kind of repair: count}."""

    cursor: int
    seen: int
    repairs: dict[str, int]


def reconcile(cursor: int, count: int = 200, searches: int = 2) -> Call[Reconciled]:
    """Look whether open jobs are where they must be, and repair; `searches`: LPOS allowed (24 ms each at 1,000,000 ids)."""

    def read(raw: Any) -> Reconciled:
        repairs = pairs(raw[2])
        return Reconciled(int(raw[0]), int(raw[1]), {name: int(number) for name, number in repairs.items()})

    return Call(load("reconcile"), [cursor, count, searches], read)


@dataclass(frozen=True, slots=True)
class Committed:
    """What the database now holds of a job: the version read, and the fields read that tell of attempts which ended
    (`millpond.attempt.ended_fields`). Of a job whose hash is gone, also whose it was, and where: no script can look that up."""

    id: str
    version: int
    outcomes: Iterable[str] = ()
    owner: str = ""  # "": the hash tells it
    queue: str = ""
    bytes: int = 0  # of its payload


def recorded(items: Sequence[Committed], grace_ms: int = 60_000) -> Call[list[int]]:
    """After the commit: drop the outcomes that the database holds, and take final jobs out of the open set if they still have
    that version or are gone. Per item 1 (closed) or 0 (still open)."""
    args: list[Arg] = [grace_ms]
    for one in items:
        names = list(one.outcomes)
        args += [one.id, one.version, one.owner, one.queue, one.bytes, len(names), *names]
    return Call(load("recorded"), args, lambda raw: [int(one) for one in raw])


def forget(limit: int = 500, failed_keep: int = 1000) -> Call[int]:
    """Delete the hashes of recorded jobs whose grace is over; of failed ones all but the newest `failed_keep` a queue."""
    return Call(load("forget"), [limit, failed_keep], int)


def enroll() -> Call[int]:
    """Make the collectors' consumer group, from the first event on; answers 1 if there was none."""
    return Call(load("enroll"), [keys.GROUP], int)
