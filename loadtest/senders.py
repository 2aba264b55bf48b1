"""One request, in the article's form or in today's, and whether its answer was a success."""

import http.client
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

import orjson

from loadtest.plan import Plan
from millpond.client import ApiError, Client


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` 0: none came; `error` says why, or what is wrong with it."""

    status: int
    id: str = ""
    error: str = ""


class Sender(Protocol):
    """Sends the request number `n` of a plan; never raises."""

    def send(self, n: int, key: str) -> Answer: ...


class Classic:
    """The article's request: GET / with a JSON body on a connection of its own, answered ``{n} {word}``."""

    def __init__(self, plan: Plan) -> None:
        at = urlsplit(plan.url)
        self._address = (at.hostname or "127.0.0.1", at.port or 80)
        self._timeout_s = plan.timeout_s
        self._word = plan.word

    def send(self, n: int, key: str) -> Answer:
        connection = http.client.HTTPConnection(*self._address, timeout=self._timeout_s)
        try:
            connection.request("GET", "/", body=orjson.dumps({"job_id": n}))
            response = connection.getresponse()
            said = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Answer(0, error=repr(error))
        finally:
            connection.close()
        return Answer(response.status, error="" if said == f"{n} {self._word}".encode() else _code(said))


def _code(said: bytes) -> str:
    """The code of a problem document, or the beginning of what else was said."""
    try:
        return str(orjson.loads(said)["code"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return said[:100].decode(errors="replace")


class V1:
    """POST /v1/jobs on one connection that is kept open; its jobs carry the tags `burst` and `n`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._client = Client(plan.url, timeout_s=plan.timeout_s)

    def send(self, n: int, key: str) -> Answer:
        tags = {"burst": self._plan.run, "n": str(n)}
        try:
            job = self._client.submit(self._plan.task, *self._plan.args, idempotency_key=key, tags=tags)
        except ApiError as error:
            return Answer(error.status, error=error.code)
        return Answer(202, job.id)


def sender(plan: Plan) -> Sender:
    """The sender for this plan."""
    return Classic(plan) if plan.classic else V1(plan)
