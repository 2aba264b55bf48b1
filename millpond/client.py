"""Clients of the HTTP API, sync and async. The only module that knows the HTTP library.

    with Client("http://127.0.0.1:8888") as client:
        job = client.submit("resize", "a.png", width=200, wait_s=10)
        print(job.status, job.result)

`timeout_s` bounds a whole call, its repeats included, but not the time that `wait_s` asks for. A submission that is not known to
be done is repeated only with its Idempotency-Key, which is made if none is given. All methods raise ApiError. Proxies that the
environment names are not used.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx2

from millpond import conversation
from millpond.conversation import ApiError, Document, Documents, NoAnswer, Pause, Reply, Send, Talk
from millpond.times import rfc3339
from millpond.views import JobError, JobView

__all__ = ["ApiError", "AsyncClient", "Client", "JobError", "JobView"]

T = TypeVar("T")

DEFAULT_URL = "http://127.0.0.1:8888"


def _body(task: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"task": task, "args": list(args), "kwargs": dict(kwargs)}
    return body | {name: value for name, value in options.items() if value is not None}


def _query(filters: Mapping[str, Any]) -> dict[str, str]:
    given = {name: value for name, value in filters.items() if value is not None}
    return {name: rfc3339(value) or "" if isinstance(value, datetime) else str(value) for name, value in given.items()}


def _options(request: Send) -> dict[str, Any]:
    options: dict[str, Any] = {"params": dict(request.query), "headers": dict(request.headers), "timeout": request.timeout_s}
    return options | ({} if request.body is None else {"content": request.body})


async def _pieces(body: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in body:
        yield piece


def _reply(response: httpx2.Response) -> Reply:
    return Reply(response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content)


def _no_answer(error: httpx2.HTTPError) -> NoAnswer:
    not_sent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout | httpx2.UnsupportedProtocol)
    return NoAnswer(not not_sent, f"{type(error).__name__}: {error}")


class Client:
    """Calls that block."""

    def __init__(self, url: str = DEFAULT_URL, timeout_s: float = 10) -> None:
        self._timeout_s = timeout_s
        self._http = httpx2.Client(base_url=url, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self,
        task: str,
        *args: Any,
        queue: str | None = None,
        idempotency_key: str | None = None,
        delay_s: float | None = None,
        tags: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        wait_s: float | None = None,
        **kwargs: Any,
    ) -> JobView:
        """Submit a job; the arguments go to the task. `timeout_s` is the job's. With `wait_s`, waits so long for its end."""
        body = _body(task, args, kwargs, queue=queue, delay_s=delay_s, tags=tags, timeout_s=timeout_s)
        return self.submit_body(body, idempotency_key=idempotency_key, wait_s=wait_s)

    def submit_body(self, body: Mapping[str, Any], *, idempotency_key: str | None = None, wait_s: float | None = None) -> JobView:
        """Submit a job by the whole document of POST /v1/jobs: for options that `submit` lacks."""
        return self._run(conversation.submit(body, idempotency_key or uuid4().hex, wait_s, self._timeout_s))

    def submit_many(self, bodies: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None) -> Document:
        """Submit a batch of any length, streamed, and answer it; each body as `submit_body` takes it. It is sent once: after an ApiError,
        the same bodies with the same key go on where it broke off. `timeout_s` is for each piece."""
        return self._run(conversation.submit_many(bodies, idempotency_key or uuid4().hex, self._timeout_s))

    def get(self, id: str, wait_s: float | None = None) -> JobView:
        """A job as it is now, or, with `wait_s`, when it has ended or that time is over."""
        return self._run(conversation.get(id, wait_s, self._timeout_s))

    def list(self, **filters: Any) -> Iterator[JobView]:
        """All jobs that match (status, task, queue, since, until, q, `**{"tag.KEY": ...}`), newest first; `limit`: per request."""
        query = _query(filters)
        while True:
            jobs, cursor = self._run(conversation.page(query, self._timeout_s))
            yield from jobs
            if cursor is None:
                return
            query = query | {"cursor": cursor}

    def cancel(self, id: str, version: int | None = None) -> JobView:
        """Cancel a job; one that runs is asked to end. `version`: only if it still is this one."""
        return self._run(conversation.change(id, "cancel", version, self._timeout_s))

    def retry(self, id: str, version: int | None = None) -> JobView:
        """Run a job again that ended other than finished. `version`: only if it still is this one."""
        return self._run(conversation.change(id, "retry", version, self._timeout_s))

    def tasks(self) -> Documents:
        """What can be submitted, with the schema of each argument."""
        return self._documents("tasks")

    def queues(self) -> Documents:
        """The queues and how many jobs each holds."""
        return self._documents("queues")

    def pause(self, queue: str) -> None:
        """Let workers take nothing more from a queue."""
        self._run(conversation.document("POST", f"/v1/queues/{queue}/pause", self._timeout_s))

    def resume(self, queue: str) -> None:
        """Let workers take from a queue again."""
        self._run(conversation.document("POST", f"/v1/queues/{queue}/resume", self._timeout_s))

    def workers(self) -> Documents:
        """The registered workers."""
        return self._documents("workers")

    def stats(self) -> Document:
        """Totals over all queues, and whether jobs are taken in."""
        return self._run(conversation.document("GET", "/v1/stats", self._timeout_s))

    def version(self) -> Document:
        """What runs there."""
        return self._run(conversation.document("GET", "/version", self._timeout_s))

    def _documents(self, name: str) -> Documents:
        return self._run(conversation.documents(name, self._timeout_s))

    def _run(self, talk: Talk[T]) -> T:
        answer: Reply | NoAnswer | None = None
        while True:
            try:
                step = talk.send(answer)
            except StopIteration as end:
                value: T = end.value
                return value
            answer = self._take(step)

    def _take(self, step: Send | Pause) -> Reply | NoAnswer | None:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        try:
            return _reply(self._http.request(step.method, step.path, **_options(step)))
        except httpx2.HTTPError as error:
            return _no_answer(error)


class AsyncClient:
    """The calls of Client, awaited."""

    def __init__(self, url: str = DEFAULT_URL, timeout_s: float = 10) -> None:
        self._timeout_s = timeout_s
        self._http = httpx2.AsyncClient(base_url=url, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def submit(
        self,
        task: str,
        *args: Any,
        queue: str | None = None,
        idempotency_key: str | None = None,
        delay_s: float | None = None,
        tags: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        wait_s: float | None = None,
        **kwargs: Any,
    ) -> JobView:
        """As `Client.submit`."""
        body = _body(task, args, kwargs, queue=queue, delay_s=delay_s, tags=tags, timeout_s=timeout_s)
        return await self.submit_body(body, idempotency_key=idempotency_key, wait_s=wait_s)

    async def submit_body(self, body: Mapping[str, Any], *, idempotency_key: str | None = None, wait_s: float | None = None) -> JobView:
        """As `Client.submit_body`."""
        return await self._run(conversation.submit(body, idempotency_key or uuid4().hex, wait_s, self._timeout_s))

    async def submit_many(self, bodies: Iterable[Mapping[str, Any]], *, idempotency_key: str | None = None) -> Document:
        """As `Client.submit_many`."""
        return await self._run(conversation.submit_many(bodies, idempotency_key or uuid4().hex, self._timeout_s))

    async def get(self, id: str, wait_s: float | None = None) -> JobView:
        """As `Client.get`."""
        return await self._run(conversation.get(id, wait_s, self._timeout_s))

    async def list(self, **filters: Any) -> AsyncIterator[JobView]:
        """As `Client.list`."""
        query = _query(filters)
        while True:
            jobs, cursor = await self._run(conversation.page(query, self._timeout_s))
            for job in jobs:
                yield job
            if cursor is None:
                return
            query = query | {"cursor": cursor}

    async def cancel(self, id: str, version: int | None = None) -> JobView:
        """As `Client.cancel`."""
        return await self._run(conversation.change(id, "cancel", version, self._timeout_s))

    async def retry(self, id: str, version: int | None = None) -> JobView:
        """As `Client.retry`."""
        return await self._run(conversation.change(id, "retry", version, self._timeout_s))

    async def tasks(self) -> Documents:
        """As `Client.tasks`."""
        return await self._documents("tasks")

    async def queues(self) -> Documents:
        """As `Client.queues`."""
        return await self._documents("queues")

    async def pause(self, queue: str) -> None:
        """As `Client.pause`."""
        await self._run(conversation.document("POST", f"/v1/queues/{queue}/pause", self._timeout_s))

    async def resume(self, queue: str) -> None:
        """As `Client.resume`."""
        await self._run(conversation.document("POST", f"/v1/queues/{queue}/resume", self._timeout_s))

    async def workers(self) -> Documents:
        """As `Client.workers`."""
        return await self._documents("workers")

    async def stats(self) -> Document:
        """As `Client.stats`."""
        return await self._run(conversation.document("GET", "/v1/stats", self._timeout_s))

    async def version(self) -> Document:
        """As `Client.version`."""
        return await self._run(conversation.document("GET", "/version", self._timeout_s))

    async def _documents(self, name: str) -> Documents:
        return await self._run(conversation.documents(name, self._timeout_s))

    async def _run(self, talk: Talk[T]) -> T:
        answer: Reply | NoAnswer | None = None
        while True:
            try:
                step = talk.send(answer)
            except StopIteration as end:
                value: T = end.value
                return value
            answer = await self._take(step)

    async def _take(self, step: Send | Pause) -> Reply | NoAnswer | None:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        try:
            options = _options(step)
            if not isinstance(step.body, bytes | None):
                options["content"] = _pieces(step.body)
            return _reply(await self._http.request(step.method, step.path, **options))
        except httpx2.HTTPError as error:
            return _no_answer(error)
