"""Many jobs at once, beside ``rq.Queue.enqueue_many``: jobs a second of one upload, and bytes of Redis for each that waits."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from loadtest.generator import Load
from loadtest.intake.contenders import AFTER, BEFORE
from loadtest.intake.rounds import ACCEPTED, Unclean
from loadtest.stage import ROOT, SERVER, Product, RedisServer, cpu_s, drive, pinned, wait

_PATIENCE_S = 1800.0  # for all jobs of one side
_BLOCK = 1000  # lines made and sent at once
# Redis's and Valkey's defaults: hashes with a longer value, as the payload of any real job is, are no longer compact.
STOCK_HASHES = {"hash-max-listpack-entries": "128", "hash-max-listpack-value": "64"}
_PATH, _NDJSON = "/v1/batches", {"Content-Type": "application/x-ndjson"}
_QUEUE = "rq:queue:default"
_EVENTS = "mp:events"  # what the collector has not recorded yet


@dataclass(frozen=True, slots=True)
class Bulk:
    """Jobs of one side in one round. `server_s`: CPU seconds of the API, 0 where there is none."""

    jobs: int
    per_s: float
    server_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Redis's used_memory for `jobs` waiting jobs, beyond what it was before them. `theirs` with the settings that Millpond ships,
    which make RQ's hashes compact too; `theirs_stock` with Redis's own, as RQ's users have them."""

    jobs: int
    ours: int
    theirs: int
    theirs_stock: int


def batches(product: Product, peers: RedisServer, jobs: int, rounds: int) -> tuple[list[Bulk], list[Bulk]]:
    """Uploads and enqueue_many of the same jobs, in turn; nothing if this Millpond has no /v1/batches."""
    ours: list[Bulk] = []
    theirs: list[Bulk] = []
    for number in range(rounds if has_batches(product) else 0):
        ours.append(upload(product, jobs, number * jobs))
        theirs.append(enqueue_many(peers, jobs))
    return ours, theirs


def has_batches(product: Product) -> bool:
    """Whether an empty upload is answered by anything but 404."""
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=_PATIENCE_S)
    try:
        connection.request("POST", _PATH, headers=_NDJSON)
        return connection.getresponse().status != http.client.NOT_FOUND
    finally:
        connection.close()


def upload(product: Product, jobs: int, first: int = 0) -> Bulk:
    """POST /v1/batches with so many lines, from its first byte to its answer."""
    line = Load(port=product.port, path=_PATH, before=BEFORE, after=AFTER + "\n")
    headers = {**_NDJSON, "Content-Length": str(jobs * len(line.body(0)))}
    queued, server_s = _queued(product.redis), cpu_s(product.api)
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=_PATIENCE_S)
    try:
        began = time.monotonic()
        connection.request("POST", line.path, body=_blocks(line, first, jobs), headers=headers)
        answer = connection.getresponse()
        document = orjson.loads(answer.read())
        seconds = time.monotonic() - began
    finally:
        connection.close()
    queued = _queued(product.redis) - queued
    if (answer.status, document.get("accepted"), document.get("rejected"), queued) != (ACCEPTED, jobs, 0, jobs):
        raise Unclean(f"a batch of {jobs} lines: {answer.status}, {queued} jobs in Redis, {document}")
    return Bulk(jobs, jobs / seconds, cpu_s(product.api) - server_s)


def _blocks(line: Load, first: int, jobs: int) -> Iterator[bytes]:
    for at in range(first, first + jobs, _BLOCK):
        yield b"".join(map(line.body, range(at, min(at + _BLOCK, first + jobs))))


def enqueue_many(peers: RedisServer, jobs: int) -> Bulk:
    """The same through stock RQ, on the core where Millpond's API would be."""
    queued = _queued(peers)
    command = [*pinned(SERVER), sys.executable, "-m", "loadtest.peers.rq_many", str(peers.port), str(jobs)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=_PATIENCE_S).stdout
    if _queued(peers) - queued != jobs:
        raise Unclean(f"enqueue_many of {jobs} jobs put {_queued(peers) - queued}")
    return Bulk(jobs, float(said))


def memory(product: Product, peers: RedisServer, stock: RedisServer, jobs: int) -> Memory:
    """All sides with as many jobs waiting, Millpond's all recorded as accepted. `stock` has Redis's own settings. What the servers
    held before is deleted."""
    servers = (product.redis, peers, stock)
    for server in servers:
        with server.client() as client:
            client.flushall()
    product.know_tasks()
    product.collector()
    before = [_used(server) for server in servers]
    _fill(product, jobs)
    enqueue_many(peers, jobs)
    enqueue_many(stock, jobs)
    ours, theirs, theirs_stock = (_used(server) - early for server, early in zip(servers, before, strict=True))
    return Memory(jobs, ours, theirs, theirs_stock)


def _fill(product: Product, jobs: int) -> None:
    if has_batches(product):
        upload(product, jobs)
    else:
        _submit(product, jobs)
    with product.redis.client() as client:
        wait(lambda: not client.xlen(_EVENTS), "all jobs are on record as accepted", _PATIENCE_S, every_s=0.1)


def _submit(product: Product, jobs: int) -> None:
    load = Load(port=product.port, path="/v1/jobs", before=BEFORE, after=AFTER, seconds=_PATIENCE_S, requests=jobs)
    outcome = drive(load)
    if outcome.statuses != {ACCEPTED: jobs} or _queued(product.redis) != jobs:
        raise Unclean(f"{jobs} submissions: answers by status {outcome.statuses}, {_queued(product.redis)} jobs in Redis")


def _queued(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.llen(_QUEUE))


def _used(server: RedisServer) -> int:
    with server.client() as client:
        info: dict[str, int] = client.info("memory")
        return info["used_memory"]
