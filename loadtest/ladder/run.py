"""The whole ladder, rung by rung, each step said as it is done."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.intake.machine import machine, versions
from loadtest.ladder.capacity import Capacity, capacity
from loadtest.ladder.climb import Burst, Shape, climb
from loadtest.ladder.clusters import Row, rows
from loadtest.ladder.fall import Fall, fall
from loadtest.ladder.halfway import Halfway, halfway, sides
from loadtest.ladder.rungs import RUNGS, Rung
from loadtest.ladder.server import Server
from loadtest.stage import Stage

CLUSTERS, HALFWAY = "clusters", "halfway"
NAMES = (*(rung.name for rung in RUNGS), HALFWAY, CLUSTERS)

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is done. `work_s`: of one piece of work; `timeout_s`: a client's patience; `bursts`: the last but one is the one whose
    answers, CPU and memory are told, the last the one whose jobs a second are; `most`: clients at once that are tried; `fall`: the burst
    before the kill; `half`, `half_work_s`: of the kill half way; `call_s`: of one call to a node or a switch."""

    work_s: float
    timeout_s: float
    bursts: Sequence[Shape]
    most: int
    fall: Shape
    half: Shape
    half_work_s: float
    call_s: float
    only: Sequence[str] = NAMES


ARTICLES = Size(
    work_s=1.0,
    timeout_s=3.0,
    bursts=(Shape(10, 10), Shape(300, 100), Shape(1000, 10), Shape(3000, 100)),
    most=8192,
    fall=Shape(1000, 100),
    half=Shape(400, 20),
    half_work_s=0.2,
    call_s=3.0,
)
QUICK = Size(
    work_s=0.3,
    timeout_s=0.9,
    bursts=(Shape(10, 10), Shape(300, 100)),
    most=16,
    fall=Shape(100, 50),
    half=Shape(80, 10),
    half_work_s=0.1,
    call_s=0.2,
)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one rung came to."""

    bursts: Mapping[str, Burst]
    capacity: Capacity
    fall: Fall


@dataclass(slots=True)
class Figures:
    """What was measured, by the names of rungs and of ways."""

    size: Size
    machine: dict[str, object] = field(default_factory=dict)
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    rungs: dict[str, Measured] = field(default_factory=dict)
    halfway: list[Halfway] = field(default_factory=list)
    clusters: list[Row] = field(default_factory=list)


def run(size: Size, say: Say) -> Figures:
    """Measure what `size` asks for. Raises Unclean where the clusters' answers differ."""
    figures = Figures(size)
    with tempfile.TemporaryDirectory(prefix="millpond-ladder-") as name:
        folder = Path(name)
        figures.machine = machine(folder)
        with Stage(folder) as stage:
            figures.versions = {of: names for of, names in versions(stage.redis("asked")).items() if of in ("server", "ours")}
        figures.rungs = {rung.name: _measured(rung, size, folder, say) for rung in RUNGS if rung.name in size.only}
        if HALFWAY in size.only:
            figures.halfway = [_half(rung, size, folder, say) for rung in sides()]
        if CLUSTERS in size.only:
            figures.clusters = _clusters(size, folder, say)
    return figures


def _measured(rung: Rung, size: Size, folder: Path, say: Say) -> Measured:
    with Server(rung, folder / rung.name, size.work_s) as server:
        say(f"{rung.title}: bursts")
        bursts = climb(server, size.bursts, size.timeout_s)
        say(f"{rung.title}: clients at once")
        held = capacity(server, size.most, size.timeout_s)
        say(f"{rung.title}: all killed")
        return Measured(bursts, held, fall(server, size.fall, size.timeout_s))


def _half(rung: Rung, size: Size, folder: Path, say: Say) -> Halfway:
    say(f"{rung.title}: one killed half way")
    return halfway(rung, size.half, size.half_work_s, size.timeout_s, folder / f"{HALFWAY}-{rung.name}")


def _clusters(size: Size, folder: Path, say: Say) -> list[Row]:
    say("the clusters, in every way")
    folder /= CLUSTERS
    folder.mkdir()
    return rows(folder, size.call_s)
