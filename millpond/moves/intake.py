"""The way in: what the API sends for accepted requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from millpond.moves.call import Arg, Call, text
from millpond.scripts import load


@dataclass(frozen=True, slots=True)
class Submission:
    """A job on its way in. `fields` are hash fields beyond those that submit writes itself (scripts/submit.lua)."""

    id: str
    queue: str
    data: bytes  # RQ's payload: JSON [task, null, args, kwargs]
    fields: Mapping[str, Arg]  # task owner description timeout timeout_ms max_attempts ... tags
    run_at_ms: int = 0  # 0: now
    delay_ms: int = 0  # counted from Redis's now; wins over run_at_ms
    expires_in_ms: int = 0  # 0: never
    front: bool = False
    digest: bytes = b""  # 16 bytes of owner + Idempotency-Key, or empty
    body_digest: bytes = b""  # 16 bytes of the body, with `digest`


@dataclass(frozen=True, slots=True)
class Submitted:
    """`answer`: accepted | replayed | mismatch (the key came with another body) | error (detail: the broken key)."""

    answer: Literal["accepted", "replayed", "mismatch", "error"]
    id: str
    state: str
    created_ms: int
    detail: str = ""


def submit(submissions: Sequence[Submission], idempotency_h: int) -> Call[list[Submitted]]:
    """Accept many jobs in one write: hash, queue or schedule, open set, event. One answer per job, in order."""
    args: list[Arg] = [idempotency_h, len(submissions)]
    for one in submissions:
        flat = [item for pair in one.fields.items() for item in pair]
        args += [one.id, one.queue, one.data, one.run_at_ms, one.delay_ms, one.expires_in_ms, int(one.front)]
        args += [one.digest, one.body_digest, len(flat), *flat]
    return Call(load("submit"), args, lambda raw: [Submitted(text(a), text(i), text(s), int(c), text(d)) for a, i, s, c, d in raw])  # type: ignore[arg-type]
