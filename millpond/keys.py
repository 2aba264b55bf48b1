"""Every Redis name that Millpond reads or writes, in one place.

Names under ``rq:`` and their formats belong to RQ 3.0 and are kept exactly; names under ``mp:`` are ours. The Lua scripts
are written with the same names (`LUA`), so that none is spelled twice. One Redis holds one Millpond: prefixes are not configurable.
"""

from typing import Final

# RQ's names (rq 3.0: job.py, queue.py, registry.py, executions.py, worker/base.py).
RQ_QUEUES: Final = "rq:queues"
RQ_WORKERS: Final = "rq:workers"
RQ_SUSPENDED: Final = "rq:suspended"

# Ours.
OPEN: Final = "mp:open"  # SET of every accepted job that the database does not hold in a final state yet
EVENTS: Final = "mp:events"  # STREAM of pointers {j: id, v: version, k: kind}
GROUP: Final = "collector"  # the consumer group on EVENTS
WORKERS: Final = "mp:workers"  # HASH worker -> queues, comma separated; never expires
BEATS: Final = "mp:beats"  # HASH worker -> heartbeats so far
MISSED: Final = "mp:missed"  # HASH worker -> "beats:ticks", counted ticks since the beats last moved
TICK: Final = "mp:tick"  # STRING ms of the last counted tick
KEEPER: Final = "mp:keeper"  # STRING lock that saves work, nothing else
PAUSED: Final = "mp:paused"  # SET of paused queues
QUARANTINE: Final = "mp:quarantine"  # HASH job id -> why its hash cannot be read
CATALOGUE: Final = "mp:catalogue"  # HASH task -> its published entry
CATALOGUE_DIGEST: Final = "mp:catalogue:digest"  # STRING changes whenever the catalogue does
WITNESS: Final = "mp:witness"  # STRING of no meaning; written so that WAITAOF vouches for all that came before it
FORGET: Final = "mp:forget"  # ZSET job id -> ms when its hash may go
RESENT: Final = "mp:resent"  # ZSET job id -> ms of the last event that reconcile sent again
EXECUTION: Final = "mp:execution"  # STRING counter inside execution ids
OWNERS: Final = "mp:owners"  # HASH owner -> jobs of theirs in OPEN
ACCEPTED: Final = "mp:accepted"  # HASH second -> jobs accepted in it, for a minute
BYTES: Final = "mp:bytes"  # HASH queue -> bytes of the payloads of its jobs in OPEN
TURNS: Final = "mp:turns"  # HASH {job}:{execution} -> the gate whose turn it has
OPENS: Final = "mp:opens"  # ZSET gate's key -> ms when its rate lets the next of its held jobs begin
AWAITED: Final = "mp:awaited"  # STRING how many children come back for the first of OPENS; expires then

# A name that ends in ":" is completed with what its comment says.
PREFIXES: Final = {
    "JOB": "rq:job:",  # {job}                     HASH
    "WAITS_FOR": "rq:job::",  # {job}:dependencies SET of the jobs it waits for; the second colon is RQ's
    "QUEUE": "rq:queue:",  # {queue}               LIST of ids, head first
    "WIP": "rq:wip:",  # {queue}                   ZSET {job}:{execution} -> +inf
    "SCHEDULED": "rq:scheduled:",  # {queue}       ZSET id -> due, seconds
    "DEFERRED": "rq:deferred:",  # {queue}         ZSET id -> seconds; waits for other jobs, and is RQ's until it waits no more
    "FINISHED": "rq:finished:",  # {queue}         ZSET id -> +inf
    "FAILED": "rq:failed:",  # {queue}             ZSET id -> +inf
    "CANCELED": "rq:canceled:",  # {queue}         ZSET id -> +inf
    "RQ_EXECUTION": "rq:execution:",  # {job}:{execution}  HASH
    "RQ_EXECUTIONS": "rq:executions:",  # {job}    ZSET
    "RQ_WORKER": "rq:worker:",  # {worker}         HASH, and {worker}:executions SET
    "RQ_WORKERS_OF": "rq:workers:",  # {queue}     SET of rq:worker:{worker}
    "RQ_RESULTS": "rq:results:",  # {job}          STREAM, adopted jobs only
    "LEASES": "mp:leases:",  # {worker}:{generation}  HASH {job}:{execution} -> claimed | to_show, then ms when it began; never expires
    "GENERATIONS": "mp:generations:",  # {worker}  HASH generation -> live | retired (claims nothing) | ended (its child is dead)
    "ALIVE": "mp:alive:",  # {worker}              STRING, expires 3.5 s after the last heartbeat
    "ALONE": "mp:alone:",  # {queue}               LIST of ids that run in a one-slot child
    "HELD": "mp:held:",  # {gate's key}            LIST of ids that its gate keeps aside, the oldest first
    "RUN": "mp:run:",  # {gate's key}              SET of {job}:{execution} that have a turn, where executions at once are counted
    "STARTS": "mp:starts:",  # {gate's key}        ZSET {job}:{execution} -> ms until which its start counts; +inf: not begun yet
    "ASIDE": "mp:aside:",  # {queue}               ZSET held id -> ms since when it waits
    "WAKE": "mp:wake:",  # {queue}                 LIST of wake-up tokens
    "IDLE": "mp:idle:",  # {queue}                 SET of {worker}:{generation} that sleep
    "KEPT": "mp:kept:",  # {queue}                 ZSET recorded failed job -> ended ms
    "DRAINED": "mp:drained:",  # {queue}           HASH second -> jobs ended in it, for a minute
    "RUNS": "mp:runs:",  # {job}                   STRING runs so far of an id that a stock producer chose; expires in a year
    "BATCH": "mp:batch:",  # {batch}               HASH counter of lines, counts of jobs, the first problems
    "BATCH_KEY": "mp:batchkey:",  # {digest}       STRING the batch of an Idempotency-Key
    "IDEMPOTENCY": "mp:idempotency:",  # {slot}:{level}:{number}  HASH digest -> raw id, body digest; + if full
}


def job(id: str) -> str:
    """The hash of one job."""
    return PREFIXES["JOB"] + id


def queue(name: str) -> str:
    """The list of queued ids of one queue."""
    return PREFIXES["QUEUE"] + name


def named(prefix: str, rest: str) -> str:
    """The key `prefix` of `PREFIXES`, completed: ``named("WIP", "default")`` is ``rq:wip:default``."""
    return PREFIXES[prefix] + rest


def told_channel(replica: str) -> str:
    """The pub/sub channel on which an API replica hears which jobs moved."""
    return f"mp:told:{replica}"


def command_channel(worker: str) -> str:
    """The pub/sub channel of RQ's commands to one worker (rq 3.0: command.py)."""
    return f"rq:pubsub:{worker}"


def _lua() -> dict[str, str]:
    singles = {name: value for name, value in globals().items() if name.isupper() and isinstance(value, str) and name not in ("GROUP",)}
    return singles | PREFIXES


LUA: Final = _lua()
