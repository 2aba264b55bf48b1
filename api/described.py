"""How a handler says what it takes and what it answers, beside its code. /openapi.json and /docs are made from this, and the tests
hold every answer of theirs to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

Schema = Mapping[str, Any]
Place = Literal["path", "query", "header"]
Tag = Literal["Jobs", "Batches", "Tasks, queues, workers", "Service", "Classic calls"]

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a request carries beside its body. Of a schema for objects, each member is a parameter of its own."""

    name: str
    place: Place
    meaning: str
    schema: Schema
    joined: bool = False  # a list, comma separated

    def document(self) -> dict[str, Any]:
        """As an OpenAPI Parameter Object."""
        style = {"style": "form", "explode": False} if self.joined else {}
        required = {"required": True} if self.place == "path" else {}
        return {"name": self.name, "in": self.place, "description": self.meaning, **required, **style, "schema": dict(self.schema)}


@dataclass(frozen=True, slots=True)
class Header:
    """Something that an answer carries beside its body; `always` unless it depends."""

    name: str
    meaning: str
    schema: Schema
    always: bool = True

    def document(self) -> dict[str, Any]:
        """As an OpenAPI Header Object."""
        return {"description": self.meaning, "required": self.always, "schema": dict(self.schema)}


@dataclass(frozen=True, slots=True)
class Answer:
    """One status that a call answers with when it is no problem. `schema` None: there is no body."""

    status: int
    meaning: str
    schema: Schema | None = None
    headers: tuple[Header, ...] = ()
    kind: str = JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A method of a handler. `refuses`: the codes of `api.codes` that it answers beside those of `EVERY`; `takes`: its parameters
    but those of the path; `must`: whether there has to be a body; `leads`: calls that take the id of the job that it answers with."""

    name: str
    tag: Tag
    summary: str
    text: str = ""
    takes: tuple[Parameter, ...] = ()
    body: Schema | None = None
    body_kind: str = JSON
    must: bool = True
    answers: tuple[Answer, ...]
    refuses: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()


EVERY: Final = ("malformed", "request_timeout", "too_large", "url_too_long", "headers_too_large", "internal_error", "too_many_connections")
READS: Final = ("redis_unavailable", "database_unavailable")
MOVES: Final = (*READS, "outcome_unknown", "broken_key", "not_found", "wrong_state", "version_mismatch")


def ref(name: str) -> Schema:
    """A schema of `api.schemas` by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(**members: Schema) -> Schema:
    """An object that has all of these members."""
    return {"type": "object", "properties": members, "required": list(members)}


def listed(schema: Schema) -> Schema:
    """An array of these."""
    return {"type": "array", "items": schema}


TEXT: Final[Schema] = {"type": "string"}

REQUEST_ID: Final = Parameter(
    "X-Request-Id",
    "header",
    "An id of yours for this request, which its answer and our log repeat; one that is no such text is ignored.",
    TEXT,
)
_ID: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}
ANSWERED_ID: Final = Header("X-Request-Id", "The request's id: yours, or one that we made.", _ID)
RETRY_AFTER: Final = Header("Retry-After", "Seconds after which to ask again.", {"type": "integer", "minimum": 0})
LOCATION: Final = Header("Location", "Where the job is.", {"type": "string", "pattern": "^/v1/jobs/[A-Za-z0-9_-]{1,128}$"})
QUOTA: Final = (
    Header("RateLimit-Policy", "The owner's quota of open jobs, where there is one.", TEXT, always=False),
    Header("RateLimit", "How much of it is left.", TEXT, always=False),
)
