"""The calls of `loadtest burst` for Locust, whose page says how many users make them: each its next as soon as the last is answered.

The image `load` holds this file and Locust, nothing of Millpond's. What Locust counts dies with it; the jobs carry the tags `burst`, the
run's name, and `n`, those of classic calls `job_id`. Users are HttpUsers, because FastHttpUser sends a GET again when its connection
breaks: a job more, and a failure less.
"""

import json
from collections.abc import Iterator
from itertools import count
from secrets import randbelow
from typing import Any

from locust import HttpUser, events, task

_WAIT_S = 5  # how long an answer may wait for the job's end
_RUN_SPAN = 10_000_000  # job numbers of one run, as in loadtest/plan.py: a number names one request for ever


class _Caller(HttpUser):  # type: ignore[misc]  # Locust is in its own image alone
    """What the users share: the run's name and numbers, the form, and how a job is submitted."""

    abstract = True
    burst = ""
    numbers: Iterator[int] = count()

    def on_start(self) -> None:
        """Read the form's task and arguments. A user who cannot ends, and stands among the page's exceptions with the reason."""
        options = self.environment.parsed_options
        args = json.loads(options.args)
        if not isinstance(args, list):
            raise ValueError("args: a JSON array is expected")
        self.job = {"task": options.task, "args": args}
        self.timeout_s = options.timeout

    def submit(self, name: str, wait_s: int = 0) -> None:
        """POST /v1/jobs, by this name on the page: 202 and the job, or 200 if it was waited for and has finished."""
        n = next(self.numbers)
        headers = {"Idempotency-Key": f"burst-{n}"} | ({"Prefer": f"wait={wait_s}"} if wait_s else {})
        body = self.job | {"tags": {"burst": self.burst, "n": str(n)}}
        limit_s = self.timeout_s + wait_s
        how = {"name": name, "headers": headers, "timeout": limit_s, "catch_response": True}
        with self.client.post("/v1/jobs", json=body, **how) as answer:
            job = _document(answer)
            finished = wait_s > 0 and answer.status_code == 200 and job.get("status") == "finished"
            _judge(answer, finished or (answer.status_code == 202 and "id" in job), limit_s)


class Classic(_Caller):
    """The article's call: GET / with a JSON body on a connection of its own, answered ``{n} add``."""

    @task  # type: ignore[untyped-decorator]
    def call(self) -> None:
        """Submit one job."""
        n = next(self.numbers)
        how = {"headers": {"Connection": "close"}, "timeout": self.timeout_s, "catch_response": True}
        with self.client.get("/", json={"job_id": n}, **how) as answer:
            _judge(answer, answer.status_code == 200 and answer.text == f"{n} add", self.timeout_s)


class V1(_Caller):
    """POST /v1/jobs on a connection that is kept open, answered 202."""

    @task  # type: ignore[untyped-decorator]
    def call(self) -> None:
        """Submit one job."""
        self.submit("/v1/jobs")


class Waiting(_Caller):
    """The same with ``Prefer: wait``, answered 200 when the job has finished, or 202 when that took too long."""

    @task  # type: ignore[untyped-decorator]
    def call(self) -> None:
        """Submit one job and wait for its end."""
        self.submit(f"/v1/jobs wait={_WAIT_S}", _WAIT_S)


def _judge(answer: Any, good: bool, limit_s: float) -> None:
    if answer.error:
        return  # none came: Locust itself says why
    if not good:
        document = _document(answer)
        answer.failure(f"{answer.status_code} {document.get('code') or document.get('status') or answer.text[:100]}")
    elif answer.request_meta["response_time"] > limit_s * 1000:
        answer.failure(f"answered after more than {limit_s:g} s")


def _document(answer: Any) -> dict[str, Any]:
    """The JSON object of an answer; empty if there is none."""
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _arguments(parser: Any) -> None:
    parser.add_argument("--task", default="sleep", help="The task to submit; users of Classic: the server's choice.")
    parser.add_argument("--args", default="[0.01]", help="Its arguments, a JSON array.")
    parser.add_argument("--timeout", type=float, default=3.0, help="Seconds after which an answer is a failure, as in the article.")


def _begin(**_: Any) -> None:
    first = randbelow(9_000_000) * _RUN_SPAN + _RUN_SPAN
    _Caller.burst, _Caller.numbers = str(first), count(first)


events.init_command_line_parser.add_listener(_arguments)
events.test_start.add_listener(_begin)
