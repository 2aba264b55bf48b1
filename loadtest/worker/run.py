"""The whole run, part by part, each step said as it is done."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from loadtest import postgres
from loadtest.intake.machine import installed, machine, versions
from loadtest.intake.rounds import TRIES
from loadtest.ladder.servers.clusters import CALL_S
from loadtest.stage import REST, Product, Stage
from loadtest.worker.clusters import TASKS, Asked, ask
from loadtest.worker.contenders import CONTENDERS, MILLPOND, PACKAGES, TASKIQ_PACKAGES, TASKIQ_PYTHON, Contender, missing
from loadtest.worker.latency import Paced, seen, theirs, told
from loadtest.worker.measure import Sample
from loadtest.worker.mill import NOOP, Mill
from loadtest.worker.replicas import REPLICAS, Scaled, scaled
from loadtest.worker.rounds import Peers
from loadtest.worker.slots import POOLS, Use, use
from loadtest.worker.sustained import Sustained, sustained

PARTS = ("noop", "slots", "replicas", "latency", "sustained", "clusters")
Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done. `only`: names of contenders, beside Millpond; none: all. `jobs`: Millpond's no-op jobs in a round, of which
    slower ones get their share. `seconds`: of every other measurement, at best. `call_s`: of one call in the clusters' part. `rest_s`: for
    which a worker uses no CPU before it is taken for started."""

    rounds: int = 3
    jobs: int = 20_000
    seconds: float = 4.0
    per_s: float = 500.0
    call_s: float = CALL_S
    replicas: Sequence[int] = REPLICAS
    rest_s: float = 1.0
    only: Sequence[str] = ()
    parts: Sequence[str] = PARTS


QUICK = Size(rounds=1, jobs=400, seconds=0.25, per_s=100.0, call_s=0.05, replicas=(1, 2), rest_s=0.2)


@dataclass(slots=True)
class Figures:
    """What was measured, by contender, pool or way. `absent`: contender or part -> why it was left out; `again`: what was
    measured once more, and why."""

    size: Size
    machine: dict[str, object] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    noop: dict[str, list[Sample]] = field(default_factory=dict)
    slots: dict[str, list[Use]] = field(default_factory=dict)
    replicas: dict[int, list[Scaled]] = field(default_factory=dict)
    latency: dict[str, list[Paced]] = field(default_factory=dict)
    sustained: Sustained | None = None
    clusters: dict[str, Asked] = field(default_factory=dict)


def run(size: Size, say: Say) -> Figures:
    """Measure what `size` asks for. Raises Unclean where a job has no result, or two."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {REST})  # the worker has its core alone
    figures = Figures(size)
    with tempfile.TemporaryDirectory(prefix="millpond-worker-") as name, Stage(Path(name)) as stage:
        figures.machine = machine(stage.folder)
        bench = Bench(stage, size, figures, say)
        figures.versions = versions(bench.mill.product.redis, PACKAGES)
        if TASKIQ_PYTHON.exists():
            figures.versions["taskiq"] = installed(TASKIQ_PYTHON, TASKIQ_PACKAGES)
        for part in PARTS:
            if part in size.parts:
                getattr(bench, part)()
    return figures


class Bench:
    """The parts, each a method that fills its figures."""

    def __init__(self, stage: Stage, size: Size, figures: Figures, say: Say) -> None:
        self._size, self._figures, self._say = size, figures, say
        product: Product = stage.product(MILLPOND_DURABILITY="everysec")  # at least: a round sets what its Redis does
        product.know_tasks(**TASKS)
        self.mill = Mill(product, size.rest_s)
        self._peers = Peers(stage, size.rest_s)

    def noop(self) -> None:
        """Jobs that do nothing, on one core."""
        for one in self._in_turn("no-op jobs", self._present(CONTENDERS)):
            jobs = max(20, round(self._size.jobs * one.share))
            sample = self._patiently(partial(self._peers.run, one, jobs)) if one.command else self._noop(one, jobs)
            self._figures.noop.setdefault(one.name, []).append(sample)

    def _noop(self, one: Contender, jobs: int) -> Sample:
        self.mill.sync(one.fsync)
        with self.mill.crew() as workers:
            return self.mill.run(workers, NOOP, jobs)

    def slots(self) -> None:
        """Jobs that block or compute."""
        self.mill.sync("everysec")
        for pool in self._in_turn("slots", POOLS):
            self._figures.slots.setdefault(pool.name, []).append(use(self.mill, pool, self._size.seconds))

    def replicas(self) -> None:
        """The same work on more replicas."""
        self.mill.sync("everysec")
        for number in self._in_turn("replicas", self._size.replicas):
            found = scaled(self.mill, number, self._size.seconds, self._size.jobs)
            self._figures.replicas.setdefault(number, []).append(found)

    def latency(self) -> None:
        """From a submission to its visible result."""
        per_s, seconds = self._size.per_s, self._size.seconds
        for one in self._in_turn("open loop", self._present(CONTENDERS), 1):
            rows = self._figures.latency.setdefault(one.name, [])
            if one.command:
                rows.append(self._patiently(partial(theirs, self._peers, one, per_s, seconds)))
                continue
            self.mill.sync(one.fsync)
            with self.mill.crew():
                rows.append(seen(self.mill, per_s, seconds))
                self._figures.latency.setdefault(f"{one.name}-told", []).append(told(self.mill, per_s, seconds))

    def sustained(self) -> None:
        """End to end with a record in PostgreSQL."""
        if not (programs := postgres.binaries()):
            self._figures.absent["sustained"] = "PostgreSQL's server programs are not installed"
            return
        self._say("sustained: API, worker, collector and PostgreSQL")
        jobs, seconds, rest_s = self._size.jobs // 2, self._size.seconds, self._size.rest_s
        self._figures.sustained = self._patiently(partial(sustained, programs, jobs, seconds, rest_s))

    def clusters(self) -> None:
        """The article's question."""
        self._say(f"clusters: {self._size.call_s:g} s a call")
        self.mill.sync("everysec")
        self._figures.clusters = ask(self.mill, self._size.call_s)

    def _patiently(self, measured: Callable[[], T]) -> T:
        """Measured again, a few times, where something did not come in time: on a machine that others use, disks stall."""
        for _ in range(TRIES - 1):
            try:
                return measured()
            except TimeoutError as error:
                self._figures.again.append(str(error))
                self._say(f"once more, {error}")
        return measured()

    def _in_turn(self, what: str, contenders: Sequence[T], rounds: int = 0) -> Iterator[T]:
        """Each of them in each round; `rounds`: instead of the size's own number."""
        for number in range(rounds or self._size.rounds):
            for one in contenders:
                self._say(f"{what}, round {number + 1}: {getattr(one, 'title', one)}")
                yield one

    def _present(self, contenders: Sequence[Contender]) -> list[Contender]:
        wanted = [one for one in contenders if not self._size.only or one is MILLPOND or one.name in self._size.only]
        self._figures.absent |= {one.name: why for one in wanted if (why := missing(one))}
        return [one for one in wanted if one.name not in self._figures.absent]
