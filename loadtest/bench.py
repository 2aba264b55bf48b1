"""Submissions and no-op jobs a second, beside stock RQ's: same machine, same run, rounds in turn, medians."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from loadtest.generator import Load
from loadtest.intake.rounds import Plan
from loadtest.intake.run import Size
from loadtest.intake.run import run as measure_intake
from loadtest.stage import ROOT, SERVER, Product, Stage, drive, pinned, stop, wait
from millpond.client import Client

JOBS = 5_000  # ours, a round; about a second
PEER_JOBS = 400  # stock RQ's, a round; about two seconds


def run(rounds: int) -> Iterator[str]:
    """Both comparisons, a line each as it is done."""
    yield f"{rounds} rounds in turn, medians; appendfsync always on both sides; server pinned to one core, client and Redis to another"
    yield submissions(rounds)
    yield jobs(rounds)


def submissions(rounds: int) -> str:
    """POST on 64 keep-alive connections, bodies that differ; `make bench-intake` has the other peers."""
    size = Size(plan=Plan(rounds=rounds), only=["rq"], open_loop=False, batch_jobs=0, memory_jobs=0)
    closed = measure_intake(size, lambda _: None).closed
    ours, theirs = ([sample.per_s for sample in closed[name]] for name in ("millpond", "rq"))
    return _line("submit/s", ours, "rq.Queue.enqueue in Tornado", theirs)


def jobs(rounds: int) -> str:
    """No-op jobs that wait already, through one worker with its thread pool, outcomes on record behind it."""
    with tempfile.TemporaryDirectory(prefix="millpond-bench-") as folder, Stage(Path(folder)) as stage:
        product = stage.product()
        product.collector()
        product.know_tasks()
        peer_port = stage.redis("peers").port
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(_work_round(product))
            theirs.append(_peer_work_round(peer_port))
    return _line("no-op jobs/s", ours, "rq SimpleWorker", theirs)


def _work_round(product: Product) -> float:
    """Fill the queue while it is paused, start a worker, resume, and time the way to the last end."""
    with Client(product.url) as client:
        client.pause("default")
        _fill(product)
        worker = product.worker()
        wait(lambda: list(client.workers()), "the worker is there")
        began = time.monotonic()
        client.resume("default")
        wait(lambda: _idle(client), "all jobs ended", 120, every_s=0.1)  # seldom: asking uses the worker's core
        seconds = time.monotonic() - began
    stop(worker)
    return JOBS / seconds


def _fill(product: Product) -> None:
    before, after = '{"task": "noop", "args": [{"number": ', ', "name": "payload of about one hundred bytes", "flag": true}]}'
    outcome = drive(Load(port=product.port, path="/v1/jobs", before=before, after=after, seconds=600, requests=JOBS))
    if outcome.statuses != {202: JOBS}:
        raise RuntimeError(f"{JOBS} submissions: answers by status {outcome.statuses}")


def _idle(client: Client) -> bool:
    return all(queue["queued"] + queue["started"] == 0 for queue in client.queues())


def _peer_work_round(port: int) -> float:
    command = [*pinned(SERVER), sys.executable, "-m", "loadtest.peers.rq_jobs", str(port), str(PEER_JOBS)]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def _line(what: str, ours: Sequence[float], peer: str, theirs: Sequence[float]) -> str:
    a, b = median(ours), median(theirs)
    return f"{what}: millpond {a:,.0f}  {peer} {b:,.0f}  ratio {a / b:.1f}"
