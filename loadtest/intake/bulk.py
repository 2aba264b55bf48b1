"""Many jobs at once, beside ``rq.Queue.enqueue_many``: jobs a second of one upload, and bytes of Redis for each that waits."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import orjson

from loadtest.generator import Load
from loadtest.intake.contenders import AFTER, BEFORE
from loadtest.intake.rounds import ACCEPTED, TRIES, Refused, Unclean
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
    """Jobs of one side in one round. CPU seconds: `sender_s` of the API, or of the process that calls enqueue_many; `redis_s`."""

    jobs: int
    per_s: float
    sender_s: float
    redis_s: float

    @property
    def cpu_per_s(self) -> float:
        """Jobs a second if the busier of the two had a core alone."""
        return self.jobs / max(self.sender_s, self.redis_s)


@dataclass(frozen=True, slots=True)
class Memory:
    """Redis's used_memory, in bytes for each of `jobs` waiting jobs, beyond what it was before them. `theirs` with the settings that
    Millpond ships, which make RQ's hashes compact too; `theirs_stock` with Redis's own, as RQ's users have them."""

    jobs: int
    ours: float
    theirs: float
    theirs_stock: float


def batches(product: Product, peers: RedisServer, jobs: int, rounds: int) -> tuple[list[Bulk], list[Bulk]]:
    """Uploads and enqueue_many of the same jobs, in turn; nothing if this Millpond has no /v1/batches."""
    ours: list[Bulk] = []
    theirs: list[Bulk] = []
    for number in range(rounds if has_batches(product) else 0):
        ours.append(_clean_upload(product, jobs, number * jobs))
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


def _clean_upload(product: Product, jobs: int, first: int = 0) -> Bulk:
    for _ in range(TRIES - 1):
        with suppress(Refused):
            return upload(product, jobs, first)
    return upload(product, jobs, first)


def upload(product: Product, jobs: int, first: int = 0) -> Bulk:
    """POST /v1/batches with so many lines, from its first byte to its answer. Raises Refused for any but 202."""
    line = Load(port=product.port, path=_PATH, before=BEFORE, after=AFTER + "\n")
    headers = {**_NDJSON, "Content-Length": str(jobs * len(line.body(0)))}
    queued, sender_s, redis_s = _queued(product.redis), cpu_s(product.api), cpu_s(product.redis.process)
    connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=_PATIENCE_S)
    try:
        began = time.monotonic()
        connection.request("POST", line.path, body=_blocks(line, first, jobs), headers=headers)
        answer = connection.getresponse()
        document = orjson.loads(answer.read())
        seconds = time.monotonic() - began
    finally:
        connection.close()
    if answer.status != ACCEPTED:
        raise Refused(f"a batch of {jobs} lines: {answer.status} {document}")
    queued = _queued(product.redis) - queued
    if (document.get("accepted"), document.get("rejected"), queued) != (jobs, 0, jobs):
        raise Unclean(f"a batch of {jobs} lines: {queued} jobs in Redis, {document}")
    return Bulk(jobs, jobs / seconds, cpu_s(product.api) - sender_s, cpu_s(product.redis.process) - redis_s)


def _blocks(line: Load, first: int, jobs: int) -> Iterator[bytes]:
    for at in range(first, first + jobs, _BLOCK):
        yield b"".join(map(line.body, range(at, min(at + _BLOCK, first + jobs))))


def enqueue_many(peers: RedisServer, jobs: int) -> Bulk:
    """The same through stock RQ, on the core where Millpond's API would be."""
    queued, redis_s = _queued(peers), cpu_s(peers.process)
    command = [*pinned(SERVER), sys.executable, "-m", "loadtest.peers.rq_many", str(peers.port), str(jobs)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=_PATIENCE_S).stdout
    if _queued(peers) - queued != jobs:
        raise Unclean(f"enqueue_many of {jobs} jobs put {_queued(peers) - queued}")
    per_s, sender_s = map(float, said.split())
    return Bulk(jobs, per_s, sender_s, cpu_s(peers.process) - redis_s)


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
    ours, theirs, theirs_stock = ((_used(server) - early) / _queued(server) for server, early in zip(servers, before, strict=True))
    return Memory(jobs, ours, theirs, theirs_stock)


def _fill(product: Product, jobs: int) -> None:
    if has_batches(product):
        _clean_upload(product, jobs)
    else:
        _submit(product, jobs)
    with product.redis.client() as client:
        wait(lambda: not client.xlen(_EVENTS), "all jobs are on record as accepted", _PATIENCE_S, every_s=0.1)


def _submit(product: Product, jobs: int) -> None:
    load = Load(port=product.port, path="/v1/jobs", before=BEFORE, after=AFTER, seconds=_PATIENCE_S, requests=jobs)
    statuses = drive(load).statuses
    if _queued(product.redis) < statuses.get(ACCEPTED, 0):
        raise Unclean(f"{jobs} submissions: answers by status {statuses}, {_queued(product.redis)} jobs in Redis")


def _queued(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.llen(_QUEUE))


def _used(server: RedisServer) -> int:
    with server.client() as client:
        info: dict[str, int] = client.info("memory")
        return info["used_memory"]
