"""Jobs that block, and jobs that compute: what of a pool's slots and of the cores is used."""

import subprocess
import sys
from dataclasses import dataclass

from loadtest.stage import EVERYWHERE, ROOT, SERVER, Core, pinned
from loadtest.worker.measure import PATIENCE_S
from loadtest.worker.mill import Mill, Work, burn, nap

BARE = 2  # processes, and as many runners
_TURNS = 400_000  # of a short CPU-bound job; some 20 ms
_MORE_TURNS = 4 * _TURNS
_GREENLETS = 500
_LONGER = 3  # a round, where each of many slots gets few jobs: that they fill one after another, and empty so, is of a round, not of use


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """One pool and the work that it gets. `ideal`: jobs a second with every slot busy all the time; 0: what bare processes reach that
    do jobs of so many `turns`. `longer`: how many times as long as others a round is."""

    name: str
    title: str
    work: Work
    per_s: int
    ideal: float
    goal: float
    env: dict[str, str]
    core: Core = SERVER
    turns: int = 0
    longer: int = 1


def _computing(name: str, title: str, turns: int, per_s: int) -> Pool:
    """CPU-bound jobs in as many processes as bare ones."""
    env = {"MILLPOND_POOL": "process", "MILLPOND_CONCURRENCY": str(BARE)}
    return Pool(name=name, title=title, work=burn(turns), per_s=per_s, ideal=0, goal=0.9, env=env, core=EVERYWHERE, turns=turns)


def _waiting(name: str, seconds: float) -> Pool:
    """Jobs that wait, in 500 greenlets."""
    ideal = round(_GREENLETS / seconds)
    env = {"MILLPOND_POOL": "gevent", "MILLPOND_CONCURRENCY": str(_GREENLETS)}
    title = f"{seconds * 1000:g} ms jobs, {_GREENLETS} greenlets"
    return Pool(name=name, title=title, work=nap(seconds), per_s=ideal, ideal=ideal, goal=0.95, env=env, longer=_LONGER)


POOLS = (
    Pool(
        name="thread",
        title="10 ms jobs, 20 threads",
        work=nap(0.01),
        per_s=2_000,
        ideal=2_000,
        goal=0.95,
        env={"MILLPOND_POOL": "thread", "MILLPOND_CONCURRENCY": "20"},
    ),
    _waiting("gevent", 0.25),
    _waiting("gevent-long", 1.0),
    _computing("process", f"CPU-bound jobs, {BARE} processes", _TURNS, 120),
    _computing("process-long", f"CPU-bound jobs, four times as long, {BARE} processes", _MORE_TURNS, 30),
)


@dataclass(frozen=True, slots=True)
class Use:
    """One round. `ideal`: what it is measured against, in jobs a second."""

    per_s: float
    ideal: float

    @property
    def part(self) -> float:
        """Of the ideal."""
        return self.per_s / self.ideal


def use(mill: Mill, pool: Pool, seconds: float) -> Use:
    """Run as many jobs as should take so long, all of them waiting already."""
    jobs = max(BARE, round(pool.per_s * seconds * pool.longer))
    with mill.crew(core=pool.core, env=pool.env) as workers:
        sample = mill.run(workers, pool.work, jobs)
    return Use(sample.per_s, pool.ideal or bare(pool.turns, jobs))


def bare(turns: int, jobs: int) -> float:
    """Jobs of so many turns a second that processes reach side by side which do nothing but call the function."""
    words = [*pinned(EVERYWHERE), sys.executable, "-m", "loadtest.peers.bare", str(turns), str(jobs // BARE)]
    processes = [subprocess.Popen(words, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(BARE)]
    for process in processes:
        if not process.stdout or process.stdout.readline() != "ready\n":
            raise RuntimeError("a bare process did not start")
    for process in processes:
        if process.stdin:
            process.stdin.write("\n")
            process.stdin.flush()
    seconds = [float(process.communicate(timeout=PATIENCE_S)[0]) for process in processes]
    return jobs // BARE * BARE / max(seconds)
