"""What a client says to the API and how it takes the answers, without any input or output: shared by Client and AsyncClient.

Each call is a generator that yields steps (send this, pause so long), is sent what came back, and returns the call's value. What
was surely not done, or may be done twice, is sent again within the deadline; a submission always may, by its Idempotency-Key.
"""

import math
import random
import time
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar
from urllib.parse import quote

import orjson

from millpond import codec
from millpond.errors import MillpondError
from millpond.views import JobView

T = TypeVar("T")
Document = dict[str, Any]
Documents = list[Document]

MAX_WAIT_S: Final = 60  # the API's own limit: longer waits are made of several requests
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0
_NOT_DONE: Final = (429, 503)
_UNKNOWN: Final = (502, 504)  # from a proxy whose server died or was silent


class ApiError(MillpondError):
    """The API refused, or gave no answer in time (status 0, code no_answer). `faults`: [{pointer, code, detail}]."""

    def __init__(
        self, status: int, code: str, detail: str, faults: list[dict[str, str]] | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail, code=code)
        self.status = status
        self.faults = faults or []
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A step: send this request. `repeatable`: also when it is not known whether it was done. `wait_s`: how long the API may
    think before it answers; `timeout_s`: how long to wait for the answer, set when it is sent."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] | None = None
    repeatable: bool = True
    wait_s: float = 0
    timeout_s: float = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """A step: do nothing for so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """None came; `sent` False: the request surely never arrived."""

    sent: bool
    why: str


Talk = Generator[Send | Pause, Reply | NoAnswer | None, T]


def submit(body: Mapping[str, Any], idempotency_key: str, wait_s: float | None, timeout_s: float) -> Talk[JobView]:
    """POST /v1/jobs; what is left of `wait_s` after its answer is waited for by GET."""
    deadline = time.monotonic() + (wait_s or 0)
    headers = {"Content-Type": "application/json", "Idempotency-Key": idempotency_key}
    if wait_s:
        headers["Prefer"] = f"wait={min(math.ceil(wait_s), MAX_WAIT_S)}"
    request = Send(method="POST", path="/v1/jobs", headers=headers, body=codec.encode(body), wait_s=min(wait_s or 0, MAX_WAIT_S))
    job = JobView.of(_document((yield from _ask(request, timeout_s))))
    left = deadline - time.monotonic()
    return (yield from get(job.id, left, timeout_s)) if left > 0 and not job.final else job


def submit_many(bodies: Iterable[Mapping[str, Any]], idempotency_key: str, timeout_s: float) -> Talk[Document]:
    """POST /v1/batches, once: what was not taken of an upload is sent by sending all of it again with its key."""
    headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": idempotency_key}
    lines = (codec.encode(body) + b"\n" for body in bodies)
    reply = yield Send(method="POST", path="/v1/batches", headers=headers, body=lines, timeout_s=timeout_s)
    if not isinstance(reply, Reply) or reply.status >= 400:
        raise _error_of(reply)
    batch: Document = _document(reply)
    return batch


def get(id: str, wait_s: float | None, timeout_s: float) -> Talk[JobView]:
    """GET /v1/jobs/{id}, again and again while `wait_s` lasts and the job has not ended."""
    deadline = time.monotonic() + (wait_s or 0)
    while True:
        seconds = math.ceil(min(MAX_WAIT_S, max(0.0, deadline - time.monotonic())))
        query = {"wait": str(seconds)} if seconds else {}
        request = Send(method="GET", path=f"/v1/jobs/{quote(id, safe='')}", query=query, wait_s=seconds)
        job = JobView.of(_document((yield from _ask(request, timeout_s))))
        if job.final or time.monotonic() >= deadline:
            return job


def page(query: Mapping[str, str], timeout_s: float) -> Talk[tuple[list[JobView], str | None]]:
    """GET /v1/jobs: one page, and the cursor of the next."""
    document = _document((yield from _ask(Send(method="GET", path="/v1/jobs", query=query), timeout_s)))
    return [JobView.of(job) for job in document["jobs"]], document["next"]


def change(id: str, verb: str, version: int | None, timeout_s: float) -> Talk[JobView]:
    """POST /v1/jobs/{id}/cancel or retry. With the version that the caller saw, a repeat cannot do it twice."""
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    request = Send(method="POST", path=f"/v1/jobs/{quote(id, safe='')}/{verb}", headers=headers, repeatable=version is not None)
    return JobView.of(_document((yield from _ask(request, timeout_s))))


def document(method: str, path: str, timeout_s: float) -> Talk[Document]:
    """Any call that may be repeated and answers a document."""
    found: Document = _document((yield from _ask(Send(method=method, path=path), timeout_s)))
    return found


def documents(name: str, timeout_s: float) -> Talk[Documents]:
    """GET /v1/{name}: a list of documents."""
    found: Documents = (yield from document("GET", f"/v1/{name}", timeout_s))[name]
    return found


def _ask(request: Send, timeout_s: float) -> Talk[Reply]:
    """Send until there is an answer that no repeat could better, or until the time is over."""
    deadline = time.monotonic() + timeout_s + request.wait_s
    # A replica that hangs must not use up the time in which another would answer.
    patience = request.wait_s + max(timeout_s / 2, 1.0)
    pause = _FIRST_PAUSE_S
    while True:
        left = deadline - time.monotonic()
        reply = yield replace(request, timeout_s=max(0.001, min(patience, left)))
        if isinstance(reply, Reply) and reply.status < 400:
            return reply
        error = _error_of(reply)
        wanted = max(error.retry_after_s or 0.0, pause * random.uniform(0.5, 1.5))
        if not _may_repeat(request, reply, error) or time.monotonic() + wanted >= deadline:
            raise error
        yield Pause(wanted)
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _may_repeat(request: Send, reply: Reply | NoAnswer | None, error: ApiError) -> bool:
    if isinstance(reply, NoAnswer):
        return request.repeatable or not reply.sent
    not_done = error.status in _NOT_DONE and error.code != "outcome_unknown"
    return not_done or (request.repeatable and error.status in (*_NOT_DONE, *_UNKNOWN))


def _error_of(reply: Reply | NoAnswer | None) -> ApiError:
    if not isinstance(reply, Reply):
        return ApiError(0, "no_answer", reply.why if reply else "")
    try:
        problem = orjson.loads(reply.body)
        code, detail, faults = str(problem["code"]), str(problem.get("detail", "")), problem.get("errors", [])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        # Not ours: a proxy's page.
        code, detail, faults = f"http_{reply.status}", reply.body[:200].decode(errors="replace"), []
    after = reply.headers.get("retry-after", "")
    return ApiError(reply.status, code, detail, faults, float(after) if after.isdecimal() else None)


def _document(reply: Reply) -> Any:
    try:
        return orjson.loads(reply.body)
    except orjson.JSONDecodeError as error:
        raise ApiError(reply.status, "bad_answer", f"The answer is not JSON: {reply.body[:200]!r}") from error
