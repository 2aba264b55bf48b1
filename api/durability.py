"""Whether Redis keeps what this API is about to promise (rule 10)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoPermissionError, RedisError

from millpond import broker
from millpond.errors import Unavailable

SETTINGS = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy")

_SYNCS = {"always": ("always",), "everysec": ("always", "everysec")}


class DurabilityWeak(Unavailable):
    """Redis would lose what we answered 202 for, or is a cluster, which our scripts cannot use."""

    code = "durability_weak"


class ReplicasMissing(Unavailable):
    """Fewer replicas follow Redis than MILLPOND_REPLICAS_ACK demands, so that no submission could be answered 202."""

    code = "replicas_missing"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`faults`: full sentences, none if Redis is as durable as demanded."""

    faults: tuple[str, ...]

    def demand(self) -> None:
        """Raise DurabilityWeak if there are faults."""
        if self.faults:
            raise DurabilityWeak(" ".join(self.faults))


def judge(demanded: str, config: Mapping[str, str], cluster: bool) -> Verdict:
    """Compare Redis's settings with MILLPOND_DURABILITY (always, everysec, none). An evicting Redis loses jobs under any."""
    faults = []
    if cluster:
        faults.append("Redis runs in cluster mode; Millpond needs a single server or a failover pair.")
    policy = config.get("maxmemory-policy", "noeviction")
    if policy != "noeviction":
        faults.append(f"Redis has maxmemory-policy {policy} and would evict accepted jobs; set noeviction.")
    if demanded in _SYNCS:
        faults += _weak_log(demanded, config)
    return Verdict(tuple(faults))


def _weak_log(demanded: str, config: Mapping[str, str]) -> list[str]:
    if missing := [name for name in SETTINGS if name not in config]:
        return [f"Redis does not tell its {', '.join(missing)}; allow CONFIG GET, or set MILLPOND_DURABILITY=none."]
    if config["appendonly"] != "yes":
        return [f"Redis has appendonly {config['appendonly']}, but MILLPOND_DURABILITY is {demanded}."]
    faults = []
    if config["appendfsync"] not in _SYNCS[demanded]:
        faults.append(f"Redis has appendfsync {config['appendfsync']}, but MILLPOND_DURABILITY is {demanded}.")
    if config["no-appendfsync-on-rewrite"] != "no":
        faults.append("Redis has no-appendfsync-on-rewrite yes: while it rewrites its log, nothing is synced.")
    return faults


def ask(pipe: Any) -> None:
    """Put the questions into a pipeline, sync or async; its first two replies are for `verdict_of`, the third for `replicas_of`."""
    pipe.config_get(*SETTINGS)
    pipe.info("cluster")
    pipe.info("replication")


def verdict_of(demanded: str, replies: Sequence[Any]) -> Verdict | None:
    """Judge by the replies to `ask`; None if Redis could not tell yet. A forbidden CONFIG GET tells no setting."""
    for reply in replies:
        if isinstance(reply, Exception) and broker.refused(reply) and not isinstance(reply, NoPermissionError):
            return None
    config, cluster = ({} if isinstance(reply, Exception) else reply for reply in replies)
    return judge(demanded, config, bool(cluster.get("cluster_enabled")))


def replicas_of(told: Any) -> int:
    """How many replicas follow, by INFO replication; none where it cannot be read."""
    rows = told.values() if isinstance(told, dict) else ()
    return sum(isinstance(row, dict) and row.get("state") == "online" for row in rows)


def first_look(redis_url: str, demanded: str) -> Verdict | None:
    """Judge before anything is served; None for a Redis that cannot be reached or cannot tell: the API starts, not ready."""
    with broker.connect(redis_url) as client, client.pipeline(transaction=False) as pipe:
        ask(pipe)
        try:
            return verdict_of(demanded, pipe.execute(raise_on_error=False)[:2])
        except (RedisError, OSError):
            return None
