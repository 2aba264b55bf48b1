"""The way in: what the API sends for accepted requests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    body_digest: bytes = b""  # 8 bytes of the body, with `digest`


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken in; 0: no limit. Of one queue the jobs that wait and the bytes of its open jobs' payloads, of one owner the
    open jobs, of Redis the part of its maxmemory from which on nothing more is accepted."""

    queue_jobs: int = 0
    queue_bytes: int = 0
    owner_jobs: int = 0
    redis_full_at: float = 0

    def args(self) -> list[Arg]:
        """What scripts/common/limits.lua `read_limits` reads."""
        return [self.queue_jobs, self.queue_bytes, self.owner_jobs, round(self.redis_full_at * 1000)]


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Submitted:
    """`answer`: accepted | replayed | mismatch (the key came with another body) | refused (detail: the limit's name) | error (detail:
    the broken key) | unreplicated (done, but not on as many replicas' disks as it must be). `created_ms`: when an accepted job was
    made. `left`: how many more jobs its owner may open, None: any number."""

    answer: Literal["accepted", "replayed", "mismatch", "refused", "error", "unreplicated"]
    id: str
    state: str
    created_ms: int = 0
    detail: str = ""
    left: int | None = None


_STATES = {1: "queued", 2: "scheduled"}  # of what was accepted (scripts/submit.lua)


def submit(submissions: Sequence[Submission], idempotency_h: int, limits: Limits = UNLIMITED) -> Call[list[Submitted]]:
    """Accept many jobs in one write: hash, queue or schedule, open set, event. One answer per job, in order."""
    terms, numbers = share(submissions)
    args: list[Arg] = [idempotency_h, *limits.args(), len(terms), *(arg for one in terms for arg in terms_of(one))]
    for one, number in zip(submissions, numbers, strict=True):
        args += (one.id, one.data, number, one.digest, bytes.fromhex(one.id) + one.body_digest if one.digest else b"")

    def read(raw: Any) -> list[Submitted]:
        now, left = int(raw[0]), dict(zip(map(text, raw[1][::2]), map(int, raw[1][1::2]), strict=True))
        answers = [_submitted(one.id, answer, now) for one, answer in zip(submissions, raw[2:], strict=True)]
        return _with_quotas(submissions, answers, left) if left else answers

    return Call(load("submit"), args, read)


def _submitted(id: str, raw: Any, now: int) -> Submitted:
    if type(raw) is int:
        return Submitted("accepted", id, _STATES[raw], now)
    answer, id, state, detail = map(text, raw)
    return Submitted(answer, id, state, 0, detail)  # type: ignore[arg-type]


def _with_quotas(submissions: Sequence[Submission], answers: Sequence[Submitted], left: Mapping[str, int]) -> list[Submitted]:
    return [replace(a, left=left.get(str(one.fields.get("owner", "public")))) for one, a in zip(submissions, answers, strict=True)]


def share(submissions: Iterable[Submission]) -> tuple[list[Submission], list[int]]:
    """One submission for each different terms among them, and for each submission the number of its terms, from 1. What is
    told apart is the object of its fields: who submits many of a kind gives them the same."""
    numbers: dict[tuple[Arg, ...], int] = {}
    terms: list[Submission] = []
    places: list[int] = []
    last = None
    for one in submissions:
        if one is last:  # lines of a batch
            places.append(places[-1])
            continue
        last = one
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
