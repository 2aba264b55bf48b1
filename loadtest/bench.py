"""Submissions and no-op jobs a second, beside stock RQ's: same machine, same run, rounds in turn, medians."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import orjson

from loadtest.stage import REST, ROOT, SERVER, Product, Stage, free_port, listens, stop, wait
from loadtest.wire import drive
from millpond.client import Client

CONNECTIONS = 64
ROUND_S = 3.0
JOBS = 5_000  # ours, a round; about a second
PEER_JOBS = 400  # stock RQ's, a round; about two seconds
PEER_REQUESTS_URL = "http://127.0.0.1:{port}/jobs"


def run(rounds: int) -> Iterator[str]:
    """Both comparisons, a line each as it is done."""
    yield f"{rounds} rounds in turn, medians; appendfsync always on both sides; server pinned to one core, client and Redis to another"
    yield submissions(rounds)
    yield jobs(rounds)


def submissions(rounds: int) -> str:
    """POST with a small payload, bodies that differ, on 64 keep-alive connections."""
    with tempfile.TemporaryDirectory(prefix="millpond-bench-") as folder, Stage(Path(folder)) as stage:
        product = stage.product()
        _know_noop(product)
        peer_port, port = stage.redis("peers"), free_port()
        gunicorn = ["gunicorn", "-k", "tornado", "-b", f"127.0.0.1:{port}", "loadtest.peers.rq_intake:app"]
        stage.run(*gunicorn, core=SERVER, PEER_REDIS_PORT=str(peer_port))
        wait(lambda: listens(port), "the peer listens")
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(_submit_round(product.url + "/v1/jobs"))
            theirs.append(_submit_round(PEER_REQUESTS_URL.format(port=port)))
    return _line("submit/s", ours, "rq.Queue.enqueue in Tornado", theirs)


def jobs(rounds: int) -> str:
    """No-op jobs that wait already, through one worker with its thread pool, outcomes on record behind it."""
    with tempfile.TemporaryDirectory(prefix="millpond-bench-") as folder, Stage(Path(folder)) as stage:
        product = stage.product()
        product.collector()
        _know_noop(product)
        peer_port = stage.redis("peers")
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(_work_round(product))
            theirs.append(_peer_work_round(peer_port))
    return _line("no-op jobs/s", ours, "rq SimpleWorker", theirs)


def _know_noop(product: Product) -> None:
    """Let a worker publish its tasks, then end it."""
    worker = product.worker()
    with Client(product.url) as client:
        wait(lambda: "noop" in [task["name"] for task in client.tasks()], "the API knows the task")
    stop(worker)


def _bodies() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield orjson.dumps({"task": "noop", "args": [{"number": number, "name": "payload of about one hundred bytes", "flag": True}]})


def _submit_round(url: str) -> float:
    rate = drive(url, _bodies(), CONNECTIONS, ROUND_S, 202)
    if rate.refused:
        raise RuntimeError(f"{rate.refused} requests to {url} were not accepted")
    return rate.per_s


def _work_round(product: Product) -> float:
    """Fill the queue while it is paused, start a worker, resume, and time the way to the last end."""
    bodies = (body for body, _ in zip(_bodies(), range(JOBS), strict=False))
    with Client(product.url) as client:
        client.pause("default")
        drive(product.url + "/v1/jobs", bodies, CONNECTIONS, 600, 202)
        worker = product.worker()
        wait(lambda: list(client.workers()), "the worker is there")
        began = time.monotonic()
        client.resume("default")
        wait(lambda: _idle(client), "all jobs ended", 120, every_s=0.1)  # seldom: asking uses the worker's core
        seconds = time.monotonic() - began
    stop(worker)
    return JOBS / seconds


def _idle(client: Client) -> bool:
    return all(queue["queued"] + queue["started"] == 0 for queue in client.queues())


def _peer_work_round(port: int) -> float:
    pinned = ["taskset", "-c", str(SERVER)] if REST else []
    command = [*pinned, sys.executable, "-m", "loadtest.peers.rq_jobs", str(port), str(PEER_JOBS)]
    return float(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def _line(what: str, ours: list[float], peer: str, theirs: list[float]) -> str:
    a, b = median(ours), median(theirs)
    return f"{what}: millpond {a:,.0f}  {peer} {b:,.0f}  ratio {a / b:.1f}"
