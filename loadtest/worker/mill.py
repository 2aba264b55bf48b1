"""Millpond's own side: workers that wait, and jobs of one kind that wait for them while their queue is paused."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

from loadtest.generator import Load
from loadtest.intake.rounds import TRIES
from loadtest.stage import SERVER, Core, Process, Product, drive, stop, wait
from loadtest.worker.counts import RQ_FINISHED, RQ_WAITING
from loadtest.worker.measure import PATIENCE_S, Round, Sample, Unclean, measure, rewrite, settle
from millpond.client import Client

Crew = AbstractContextManager[Sequence[Process]]


@dataclass(frozen=True, slots=True)
class Work:
    """Jobs of one kind, as the JSON before and after each one's number."""

    title: str
    before: str
    after: str


NOOP = Work("no-op jobs", '{"task": "noop", "args": [{"number": ', ', "name": "payload of about one hundred bytes", "flag": true}]}')


def nap(seconds: float) -> Work:
    """Jobs that block so long."""
    return Work(f"{seconds * 1000:g} ms jobs", f'{{"task": "nap", "args": [{seconds}, ', "]}")


def burn(turns: int) -> Work:
    """Jobs that compute."""
    return Work("CPU-bound jobs", f'{{"task": "burn", "args": [{turns}, ', "]}")


class Mill:
    """`product`: with no worker running; before jobs are submitted, its tasks must be known. `rest_s`: see `settle`."""

    def __init__(self, product: Product, rest_s: float) -> None:
        self.product = product
        self._rest_s = rest_s

    def crew(self, replicas: int = 1, core: Core = SERVER, env: Mapping[str, str] = MappingProxyType({})) -> Crew:
        """So many workers with these settings, started and idle; ended with the block."""
        return self.mixed([env] * replicas, core)

    @contextmanager
    def mixed(self, envs: Sequence[Mapping[str, str]], core: Core = SERVER) -> Iterator[Sequence[Process]]:
        """A worker with each of these settings, as in `crew`; they start at the same time."""
        self._clear()
        with Client(self.product.url) as client:
            before = _names(client)
            workers = [self.product.worker(core, **env) for env in envs]
            wait(lambda: len(_names(client) - before) >= len(envs), "the workers are there", PATIENCE_S, every_s=0.2)
        settle(workers, self._rest_s)
        yield workers
        for worker in workers:
            worker.terminate()
        for worker in workers:
            stop(worker)

    def _clear(self) -> None:
        """Delete what earlier rounds left, as before each peer's, but for the catalogue: a Redis that holds more jobs is slower."""
        with self.product.redis.client() as client:
            kept = {key: client.dump(key) for key in client.keys("mp:catalogue*")}
            client.flushall()
            for key, dump in kept.items():
                client.restore(key, 0, dump)

    def fill(self, work: Work, jobs: int) -> int:
        """Put jobs into the queue, and answer how many wait. What was refused, as by a disk that stalls, is submitted again."""
        with self.product.redis.client() as client:
            for _ in range(TRIES):
                if (short := jobs - RQ_WAITING(client)) > 0:
                    drive(Load(port=self.product.port, path="/v1/jobs", before=work.before, after=work.after, seconds=600, requests=short))
            if (waiting := RQ_WAITING(client)) < jobs:
                raise Unclean(f"{jobs} submissions of {work.title}: {waiting} jobs in Redis")
        return waiting

    def sync(self, fsync: str) -> None:
        """Set what Redis does with a write from now on."""
        with self.product.redis.client() as client:
            client.config_set("appendfsync", fsync)

    def run(self, workers: Sequence[Process], work: Work, jobs: int, filled: Callable[[], None] = lambda: None) -> Sample:
        """Let the workers run jobs that all wait already. `filled`: called when they do."""
        with Client(self.product.url) as client:
            client.pause("default")
            jobs = self.fill(work, jobs)
            rewrite(self.product.redis)
            filled()
            return measure(
                Round(
                    title=f"Millpond, {work.title}",
                    jobs=jobs,
                    workers=workers,
                    server=self.product.redis,
                    waiting=RQ_WAITING,
                    ended=RQ_FINISHED,
                    go=lambda: client.resume("default"),
                )
            )


def _names(client: Client) -> set[str]:
    return {worker["name"] for worker in client.workers()}
