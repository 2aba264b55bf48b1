"""The way in: what the API sends for accepted requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from millpond.moves.call import Arg, Call, text
from millpond.scripts import load


@dataclass(frozen=True, slots=True)
class Submission:
    """A job on its way in. `fields` are hash fields beyond those that submit writes itself (scripts/submit.lua)."""

    id: str
    queue: str
    data: bytes  # RQ's payload: JSON [task, null, args, kwargs]
    fields: Mapping[str, Arg]  # description timeout timeout_ms max_attempts ... tags owner: what differs from what absence means
    run_at_ms: int = 0  # 0: now
    delay_ms: int = 0  # counted from Redis's now; wins over run_at_ms
    expires_in_ms: int = 0  # 0: never
    front: bool = False
    digest: bytes = b""  # 16 bytes of owner + Idempotency-Key, or empty
    body_digest: bytes = b""  # 16 bytes of the body, with `digest`


@dataclass(frozen=True, slots=True)
class Submitted:
    """`answer`: accepted | replayed | mismatch (the key came with another body) | error (detail: the broken key). `created_ms`: when
    an accepted job was made."""

    answer: Literal["accepted", "replayed", "mismatch", "error"]
    id: str
    state: str
    created_ms: int = 0
    detail: str = ""


_STATES = {1: "queued", 2: "scheduled"}  # of what was accepted (scripts/submit.lua)


def submit(submissions: Sequence[Submission], idempotency_h: int) -> Call[list[Submitted]]:
    """Accept many jobs in one write: hash, queue or schedule, open set, event. One answer per job, in order."""
    terms, numbers = share(submissions)
    args: list[Arg] = [idempotency_h, len(terms), *(arg for one in terms for arg in terms_of(one))]
    for one, number in zip(submissions, numbers, strict=True):
        args += (one.id, one.data, number, one.digest, one.body_digest)

    def read(raw: Any) -> list[Submitted]:
        now = int(raw[0])
        return [_submitted(one.id, answer, now) for one, answer in zip(submissions, raw[1:], strict=True)]

    return Call(load("submit"), args, read)


def _submitted(id: str, raw: Any, now: int) -> Submitted:
    if type(raw) is int:
        return Submitted("accepted", id, _STATES[raw], now)
    answer, id, state, detail = map(text, raw)
    return Submitted(answer, id, state, 0, detail)  # type: ignore[arg-type]


def share(submissions: Iterable[Submission]) -> tuple[list[Submission], list[int]]:
    """One submission for each different terms among them, and for each submission the number of its terms, from 1. What is
    told apart is the object of its fields: who submits many of a kind gives them the same."""
    numbers: dict[tuple[Arg, ...], int] = {}
    terms: list[Submission] = []
    places = []
    for one in submissions:
        key = (id(one.fields), one.queue, one.run_at_ms, one.delay_ms, one.expires_in_ms, one.front)
        number = numbers.get(key)
        if number is None:
            number = numbers[key] = len(terms) + 1
            terms.append(one)
        places.append(number)
    return terms, places


def terms_of(one: Submission) -> list[Arg]:
    """What scripts/common/intake.lua `read_terms` reads."""
    flat = [item for pair in one.fields.items() for item in pair]
    return [one.queue, one.run_at_ms, one.delay_ms, one.expires_in_ms, int(one.front), len(flat), *flat]
