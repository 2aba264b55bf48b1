"""The article's forks beside replicas: the same work on four of each, and one of the four is killed half way."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from loadtest.burst import send_all
from loadtest.journal import Journal
from loadtest.ladder.climb import Shape, accepted, plan
from loadtest.ladder.fall import settled
from loadtest.ladder.ledger import Done
from loadtest.ladder.rungs import FORKED, FORKS, REPLICAS, RUNGS, Rung
from loadtest.ladder.server import Server, slay
from loadtest.stage import tree, wait

SAMPLE_S = 1.0  # over which a rate is taken
FULL = 0.9
_PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Halfway:
    """`per_s`: jobs done a second before the kill. `lost`: accepted, and never done; `cut`: requests without a good answer.
    `full_s`: seconds from the kill until it is as fast again, to `SAMPLE_S`; None: never while the work lasted. `done_s`: when each job was
    done, seconds from the first; `kill_s`: when the kill was."""

    title: str
    per_s: float
    accepted: int
    lost: int
    cut: int
    full_s: float | None
    kill_s: float
    done_s: Sequence[float]


def sides() -> tuple[Rung, Rung]:
    """Four forked processes, and four workers of one slot each."""
    by_name = {rung.name: rung for rung in RUNGS}
    workers = replace(by_name[REPLICAS], slots=1, title=f"Millpond, {FORKS} workers of one slot")
    return by_name[FORKED], workers


def halfway(rung: Rung, shape: Shape, work_s: float, timeout_s: float, folder: Path) -> Halfway:
    """Send the burst, kill one process of those that work when half of it is done, and look at what the ledger says in the end."""
    with Server(rung, folder, work_s) as server, ThreadPoolExecutor(1) as pool:
        burst = plan(server, shape, timeout_s)
        sending = pool.submit(send_all, burst)
        wait(lambda: len(server.ledger.read()) >= shape.requests // 2, "half of the work is done", _PATIENCE_S)
        killed_s = time.monotonic()
        slay(_one_that_works(server))
        sending.result()
        took = accepted(Journal(burst.journal).read())
        settled(server, took)
        return _told(rung, server.ledger.read(), took, shape, killed_s)


def _one_that_works(server: Server) -> list[int]:
    """One forked process, or one worker: its parent, with which its children end."""
    children = list(tree(server.process.pid))[1:]
    workers = [pid for pid in children if b"worker" in _command(pid)] if not server.rung.module else children
    return workers[:1]


def _command(pid: int) -> list[bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")


def _told(rung: Rung, done: Sequence[Done], took: set[int], shape: Shape, killed_s: float) -> Halfway:
    first = done[0].at_s
    at_s = [one.at_s - first for one in done]
    kill_s = killed_s - first
    per_s = sum(at < kill_s for at in at_s) / kill_s
    return Halfway(
        title=rung.title,
        per_s=per_s,
        accepted=len(took),
        lost=len(took - {one.n for one in done}),
        cut=shape.requests - len(took),
        full_s=full_speed(at_s, kill_s, per_s),
        kill_s=kill_s,
        done_s=at_s,
    )


def full_speed(at_s: Sequence[float], kill_s: float, per_s: float) -> float | None:
    """Seconds from the kill to the first `SAMPLE_S` from whose beginning on nine tenths of `per_s` are done; None if there is none."""
    starts = [kill_s, *(at for at in at_s if at > kill_s)]
    wanted = FULL * per_s * SAMPLE_S
    full = (start - kill_s for start in starts if sum(start <= at < start + SAMPLE_S for at in at_s) >= wanted)
    return next(full, None)
