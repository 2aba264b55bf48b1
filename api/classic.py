"""The two calls of the articles, served by jobs: GET / with a body, and GET /test (MILLPOND_CLASSIC=on)."""

from typing import Any, ClassVar

from api.codes import UNREADABLE
from api.described import TEXT, Answer, Call, Header, record
from api.handler import Handler
from api.jobs import SUBMITTING, JobHandler
from api.prefer import MAX_WAIT_S
from millpond import __version__, codec
from millpond.errors import Invalid, MillpondError, NotFound
from millpond.jsonfaults import fault

SLEEP_S = 1  # what the first article's work takes

FAILED, TOO_LATE, NOT_ACCEPTED = 1, 2, 3  # error_code of GET /test

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, PUT, DELETE, OPTIONS",
    "Access-Control-Max-Age": "1000",
    "Access-Control-Allow-Headers": "CONTENT-TYPE, Access-Control-Allow-Origin, cache-control, Cache-Control, x-access-token",
    "Access-Control-Expose-Headers": "X-Resource-Count",
}

_CORS = tuple(Header(name, "For browsers.", {"const": value}) for name, value in CORS.items())
COUNT = Header("X-Resource-Count", "How many `data` has.", {"type": "integer"}, always=False)
_WHERE = {"jobs": "/v1/jobs", "tasks": "/v1/tasks", "health": "/readyz", "docs": "/docs"}
_PLACES = record(name=TEXT, version=TEXT, **{name: {"const": path} for name, path in _WHERE.items()})
_ENVELOPE = record(error_code={"type": "integer"}, message=TEXT, data={})


class Root(Handler):
    """Where things are; with a body, the first article's producer: {"job_id": 7} is answered `7 add` once the job is accepted."""

    route = "/"
    calls: ClassVar = {
        "GET": Call(
            name="root",
            tag="Classic calls",
            summary="Say where things are",
            text="With a body: submits the task MILLPOND_CLASSIC_TASK with this `job_id` as an argument and a tag.",
            body=record(job_id={"type": ["integer", "string"]}),
            must=False,
            answers=(
                Answer(200, "Where things are; with a body: `7 add`.", _PLACES),
                Answer(200, "", TEXT, kind="text/plain; charset=utf-8"),
            ),
            refuses=("not_found", *UNREADABLE, *SUBMITTING),
        )
    }
    SUPPORTED_METHODS = ("GET",)  # a HEAD that makes work would surprise everybody

    async def get(self) -> None:
        if not self.request.body:
            self.reply({"name": "millpond", "version": __version__, **_WHERE})
            return
        if not self.application.config.classic:
            raise NotFound("The classic calls are off (MILLPOND_CLASSIC).")
        job_id = _job_id(codec.decode(self.request.body, self.application.limits.body_bytes, self.application.limits.body_values))
        task = self.application.config.classic_task
        await self.application.intake.accept({"task": task, "args": [SLEEP_S, job_id], "tags": {"job_id": str(job_id)}})
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{job_id} add")


def _job_id(document: Any) -> int | str:
    job_id = document.get("job_id") if isinstance(document, dict) else None
    if isinstance(job_id, bool) or not isinstance(job_id, int | str):
        raise Invalid('The body is {"job_id": ...} with a number or text.', faults=[fault(("job_id",), "wrong_type", "a number or text")])
    return job_id


class Test(JobHandler):
    """The second article's information of four clusters, in its envelope: an error is a 202 with error_code != 0."""

    route = "/test"
    calls: ClassVar = {
        "GET": Call(
            name="test",
            tag="Classic calls",
            summary="Run the task MILLPOND_TEST_TASK and wait for its result",
            answers=(
                Answer(200, "Its result.", _ENVELOPE, (*_CORS, COUNT)),
                Answer(202, "It failed, is not done yet, or was not accepted: `error_code` is not 0.", _ENVELOPE, _CORS),
            ),
            refuses=("not_found",),
        ),
        "OPTIONS": Call(
            name="testOptions",
            tag="Classic calls",
            summary="Say who may call /test",
            answers=(Answer(200, "Anybody: the headers say so.", headers=_CORS),),
            refuses=("not_found",),
        ),
    }
    SUPPORTED_METHODS = ("GET", "OPTIONS")

    def set_default_headers(self) -> None:
        super().set_default_headers()
        for name, value in CORS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        if not self.application.config.classic:
            raise NotFound("The classic calls are off (MILLPOND_CLASSIC).")

    def options(self) -> None:
        self.finish()

    async def get(self) -> None:
        try:
            config = self.application.config
            document = {"task": config.test_task, "kwargs": {"seconds": config.test_seconds}}
            accepted = await self.application.intake.accept(document, channel=self.application.waiters.channel)
            job = await self.ended(accepted.id, MAX_WAIT_S, accepted.told)
        except MillpondError as error:
            self._envelope(NOT_ACCEPTED, f"{error.code}: {error.detail}")
            return
        if job.status == "finished":
            self._envelope(0, "", job.result)
        elif job.final:
            self._envelope(FAILED, f"{job.error_code or job.status}: {job.error_message or job.reason or ''}")
        else:
            self._envelope(TOO_LATE, f"job {job.id} is {job.status}")

    def _envelope(self, error_code: int, message: str, data: Any = None) -> None:
        if isinstance(data, list):
            self.set_header("X-Resource-Count", str(len(data)))
        self.reply({"error_code": error_code, "message": message, "data": data}, 202 if error_code else 200)
