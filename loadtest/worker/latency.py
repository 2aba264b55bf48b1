"""From a submission to where its result can be seen: an open loop, each system at the same rate.

A latency counts from when the job was due, so that neither a slow submission nor a slow worker is hidden. The peers' results, and
Millpond's in its second row, are looked for in Redis; in its first row the client itself is told over HTTP (``Prefer: wait``).
"""

from dataclasses import dataclass, field

import orjson

from loadtest.generator import Load
from loadtest.stage import RedisServer, drive
from loadtest.worker.contenders import MILLPOND, Contender
from loadtest.worker.measure import rewrite
from loadtest.worker.mill import NOOP, Mill
from loadtest.worker.rounds import Peers, call

_ENDED = 200
_WARM_UP = 50  # jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Paced:
    """One round of one contender. `missing`: jobs whose result was not there three seconds after the last one was due, or that
    were not answered 200 with it."""

    per_s: float
    latencies_s: list[float] = field(repr=False)
    missing: int


def told(mill: Mill, per_s: float, seconds: float) -> Paced:
    """Submissions over HTTP that are answered with the outcome."""
    frame = {"port": mill.product.port, "path": "/v1/jobs", "before": NOOP.before, "after": NOOP.after, "headers": "Prefer: wait=20\r\n"}
    drive(Load(**frame, requests=_WARM_UP))  # type: ignore[arg-type]
    rewrite(mill.product.redis)
    outcome = drive(Load(**frame, seconds=seconds, per_s=per_s))  # type: ignore[arg-type]
    missing = sum(often for status, often in outcome.statuses.items() if status != _ENDED)
    return Paced(per_s=outcome.per_s, latencies_s=outcome.latencies_s, missing=missing)


def seen(mill: Mill, per_s: float, seconds: float) -> Paced:
    """Millpond's results, looked for in Redis as the peers' are."""
    server: RedisServer = mill.product.redis
    rewrite(server)
    environment = {"PEER_REDIS_PORT": str(server.port), "PEER_PORT": str(mill.product.port)}
    return _paced(call(MILLPOND, "pace", str(per_s), str(round(per_s * seconds)), **environment))


def theirs(peers: Peers, one: Contender, per_s: float, seconds: float) -> Paced:
    """A peer's, with a worker of its own."""
    peers.clear()
    with peers.crew(one):
        peers.call(one, "pace", str(per_s), str(_WARM_UP))
        rewrite(peers.server)
        return _paced(peers.call(one, "pace", str(per_s), str(round(per_s * seconds))))


def _paced(said: bytes) -> Paced:
    found = orjson.loads(said)
    latencies: list[float] = found["latencies_s"]
    return Paced(per_s=len(latencies) / found["seconds"], latencies_s=latencies, missing=found["missing"])
