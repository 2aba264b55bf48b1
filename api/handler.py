"""What every handler shares: request ids, JSON in and out, problems for errors, who waits and who left."""

import asyncio
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tornado.web import HTTPError, RequestHandler

from api import prefer
from api.described import Call, Parameter
from api.prefer import MAX_WAIT_S, Preferences
from api.problems import Refused, ours, problem
from millpond import codec
from millpond.errors import BadInput, MillpondError, NotFound, Unavailable

if TYPE_CHECKING:
    from api.app import Api

WAIT: Final = Parameter(
    "wait",
    "query",
    f"Wait so many seconds for the job's end, at most {MAX_WAIT_S}.",
    {"type": "number", "minimum": 0, "maximum": 999_999_999},
)

_SECONDS = re.compile(r"\d{1,9}(\.\d+)?([eE]-\d{1,3})?", re.ASCII)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_CODES = {404: "not_found", 405: "method_not_allowed", 400: "malformed"}


def asked_id(asked: str | None) -> str:
    """The request id that a client or proxy gave, as we take it; else ""."""
    return asked if asked and _REQUEST_ID.fullmatch(asked) else ""


class Handler(RequestHandler):
    """Base of all handlers. Errors of `millpond.errors` become problem documents; anything else is a 500 and logged."""

    application: "Api"
    route: ClassVar[str] = "none"  # the label in metrics: never a path, which a client could make endless
    calls: ClassVar[Mapping[str, Call]] = {}  # what each method takes and answers: /openapi.json
    request_id = ""
    code = ""  # of the problem that was answered
    preferences = Preferences()

    def set_default_headers(self) -> None:
        self.request_id = self.request_id or asked_id(self.request.headers.get("X-Request-Id")) or self.application.next_request_id()
        self.set_header("Server", "millpond")
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Request-Id", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def compute_etag(self) -> None:
        """Tornado's digest of the body is not wanted: our ETag is the job's version."""

    # -- in ---------------------------------------------------------------------------------------------------------------

    def json_body(self) -> Any:
        """The body, decoded within the limits of the codec. Raises Refused (415) or BadInput."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refused(415, "unsupported_media_type", "Send the body as application/json.")
        limits = self.application.limits
        return codec.decode(self.request.body, limits.body_bytes, limits.body_values)

    def query(self, name: str) -> str | None:
        """A query parameter, once or not at all."""
        values = self.request.query_arguments.get(name, [])
        if len(values) > 1:
            raise BadInput(f"The parameter {name} is given more than once.", code="bad_parameter", parameter=name)
        try:
            return values[0].decode() if values else None
        except UnicodeDecodeError:
            raise BadInput(f"The parameter {name} is not UTF-8.", code="bad_parameter", parameter=name) from None

    def wait_s(self) -> float:
        """How long the client wants to wait for the end of the job: ``?wait=N``, else ``Prefer: wait=N``, at most 60 s. What
        becomes of the preferences is said with the answer (`reply_job`)."""
        self.preferences = prefer.read(self.request.headers.get("Prefer", ""))
        asked = self.query("wait")
        if asked is None:
            return self.preferences.wait_s or 0
        if not _SECONDS.fullmatch(asked):
            raise BadInput("wait is a number of seconds, 0 or more.", code="bad_parameter", parameter="wait")
        self.preferences = Preferences(None, self.preferences.respond_async)
        return min(float(asked), MAX_WAIT_S)

    # -- out --------------------------------------------------------------------------------------------------------------

    def reply(self, document: Any, status: int = 200) -> None:
        """Answer with a JSON document."""
        self.set_status(status)
        self.finish(codec.render(document))

    def finish(self, chunk: Any = None) -> "asyncio.Future[None]":
        if self.application.draining:
            self.set_header("Connection", "close")
        return super().finish(chunk)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        if not isinstance(error, MillpondError):
            error = Refused(status_code, _CODES[status_code]) if status_code in _CODES else ours()
        answer = problem(error, self.request_id)
        self.code = answer.code
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        if answer.status == 405:
            self.set_header("Allow", ", ".join(self.allowed()))
        self.finish(answer.body)

    def log_exception(self, kind: Any, error: Any, trace: Any) -> None:
        expected = isinstance(error, HTTPError) or (isinstance(error, MillpondError) and error.status != 500)
        if not expected:
            self.application.log.error("request_failed", route=self.route, request_id=self.request_id, exc_info=(kind, error, trace))
        elif isinstance(error, Unavailable):
            self.application.log.debug("request_refused", code=error.code, detail=error.detail, request_id=self.request_id)

    @classmethod
    def allowed(cls) -> list[str]:
        """The methods that this resource has."""
        own = {name for name in cls.SUPPORTED_METHODS if getattr(cls, name.lower()) is not getattr(RequestHandler, name.lower())}
        return sorted(own if "GET" in own else own - {"HEAD"})

    def head(self, *args: str) -> Any:
        """As GET; Tornado leaves the body out."""
        if "GET" not in self.allowed():
            raise HTTPError(405)
        return self.get(*args)


class Missing(Handler):
    """Any path that is no resource."""

    def prepare(self) -> None:
        raise NotFound(f"There is nothing at {self.request.path}.")
