"""A request's body as a job: a strict model, the catalogue's word on the arguments, every fault at once."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from millpond import codec
from millpond.catalogue import Entry
from millpond.errors import BadInput, Invalid
from millpond.job import Job, Overrides, new_id, submission_fields
from millpond.jsonfaults import MAX_FAULTS, Fault, fault
from millpond.moves import Submission, Submitted
from millpond.task import QUEUE_NAME
from millpond.times import from_ms, rfc3339, to_ms

MAX_SECONDS = 10 * 366 * 86_400  # no duration is longer: it must fit a date, and a mistaken unit should be seen
MAX_TAGS = 32


def _read_moment(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("a time is text such as 2026-01-31T12:00:00Z")
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a time names its offset, as in 2026-01-31T12:00:00Z")
    return moment


def _after_1970(moment: datetime) -> datetime:
    if to_ms(moment) <= 0:
        raise ValueError("a time is after 1970")
    return moment


def _whole(value: Any) -> Any:
    """3.0 is an integer to JSON Schema, and to some writers of JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seconds = Annotated[float, Field(ge=0, le=MAX_SECONDS)]
Span = Annotated[float, Field(ge=0.001, le=MAX_SECONDS)]
Moment = Annotated[datetime, BeforeValidator(_read_moment), AfterValidator(_after_1970)]
Attempts = Annotated[int, Field(ge=1, le=1000), BeforeValidator(_whole)]
QueueName = Annotated[str, StringConstraints(pattern=f"^{QUEUE_NAME.pattern}$")]
TagName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
TagValue = Annotated[str, StringConstraints(max_length=256)]

Tags = Annotated[dict[TagName, TagValue], Field(max_length=MAX_TAGS)]

_STRICT = ConfigDict(strict=True, extra="forbid", frozen=True)
# The rule of `conflicting_fields`, as /openapi.json says it.
_BOTH_TIMES: dict[str, Any] = {
    "required": ["delay_s", "run_at"],
    "properties": {"delay_s": {"type": "number"}, "run_at": {"type": "string"}},
}


class Retry(BaseModel):
    """How failures are tried again; what is not given is as the task says."""

    model_config = _STRICT

    max_attempts: Attempts | None = Field(None, description="how many failures end the job")
    backoff_s: Seconds | None = Field(None, description="the pause before the second attempt")
    backoff_factor: Annotated[float, Field(ge=1, le=1000)] | None = Field(None, description="how much longer each further pause is")
    max_backoff_s: Seconds | None = Field(None, description="no pause is longer")
    jitter: Annotated[float, Field(ge=0, le=1)] | None = Field(None, description="the share by which a pause is changed at random")


class Body(BaseModel):  # type: ignore[no-redef]  # mypy takes the field kwargs for the constructor's
    """What POST /v1/jobs takes."""

    model_config = ConfigDict(**_STRICT, json_schema_extra={"not": _BOTH_TIMES})

    task: str = Field(description="the task's name")
    args: list[Any] = Field([], description="its arguments by position")
    kwargs: dict[str, Any] = Field({}, description="its arguments by name; all are checked against its signature first")
    queue: QueueName | None = Field(None, description="which queue; default: the task's")
    delay_s: Seconds | None = Field(None, description="not before so long from now")
    run_at: Moment | None = Field(None, description="not before; a time with its offset, after 1970. Give this or `delay_s`")
    timeout_s: Span | None = Field(None, description="how long one attempt may run; default: the task's")
    expires_in_s: Span | None = Field(None, description="ends `expired` if it has not ended by then")
    retry: Retry | None = Field(None, description=f"`{{{', '.join(Retry.model_fields)}}}`; default: the task's")
    tags: Tags = Field({}, description=f"up to {MAX_TAGS} names with text values, to find jobs by")
    front: bool = Field(False, description="true: to the head of the queue")


class Offer:
    """A task as this replica takes it: its entry, and what all usual submissions of it have in common, made once."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.fields = submission_fields(entry, Overrides())
        self.terms = Submission("", entry.queue, b"", self.fields)  # of a usual submission, all but its id and payload
        self.head = codec.render([entry.name, None])[:-1]  # of the payload
        self.blank = _blank(self)


@dataclass(frozen=True, slots=True)
class Order:
    """A checked request for a job: what goes to Redis, and how the job looks at first. `body` is None for a usual submission: task,
    args, kwargs and nothing else."""

    offer: Offer
    args: list[Any]
    kwargs: dict[str, Any]
    submission: Submission
    body: Body | None = None

    def accepted(self, answer: Submitted) -> Job:
        """The job as Redis accepted it."""
        body, entry, sent = self.body, self.offer.entry, self.submission
        created = from_ms(answer.created_ms)
        queued = answer.state == "queued"
        due_ms = answer.created_ms + sent.delay_ms if sent.delay_ms else sent.run_at_ms
        return Job(
            id=answer.id,
            task=entry.name,
            queue=sent.queue,
            status=answer.state,
            version=1,
            max_attempts=(body and body.retry and body.retry.max_attempts) or entry.max_attempts,
            rerun=entry.rerun,
            args=self.args,
            kwargs=self.kwargs,
            tags=body.tags if body else {},
            timeout_s=(body and body.timeout_s) or entry.timeout_s,
            created_at=created,
            enqueued_at=created if queued else None,
            run_at=None if queued else from_ms(due_ms),
            expires_at=from_ms(answer.created_ms + sent.expires_in_ms) if sent.expires_in_ms else None,
        )

    def document(self, answer: Submitted) -> bytes:
        """That job as HTTP shows it."""
        if self.body:
            return codec.render(self.accepted(answer).public())
        data, head = self.submission.data, len(self.offer.head)
        moment = _moment(answer.created_ms)
        args = codec.render(self.args)
        kwargs = data[head + len(args) + 2 : -1]
        return self.offer.blank % {b"id": answer.id.encode(), b"args": args, b"kwargs": kwargs, b"at": moment}


def read(document: Any, find: Callable[[str], Offer | None]) -> Order:
    """Check a decoded body by the model and the catalogue (`find`). Raises Invalid with every fault, as unknown_task if only
    that is wrong.

    A fast path accepts what is usual; whatever it is not sure of goes to the careful path, which alone refuses.
    """
    return _usual(document, find) or _read_carefully(document, find)


def read_terms(document: Any, find: Callable[[str], Offer | None]) -> tuple[Submission, bytes]:
    """As `read`, for one of very many: a submission whose terms are this one's (its id and payload mean nothing), and the payload."""
    if usual := _usual_parts(document, find):
        return usual[0].terms, usual[3]
    submission = _read_carefully(document, find).submission
    return submission, submission.data


_USUAL = frozenset({"task", "args", "kwargs"})


def _usual(document: Any, find: Callable[[str], Offer | None]) -> Order | None:
    if usual := _usual_parts(document, find):
        offer, args, kwargs, data = usual
        return Order(offer, args, kwargs, Submission(new_id(), offer.entry.queue, data, offer.fields))
    return None


def _usual_parts(document: Any, find: Callable[[str], Offer | None]) -> tuple[Offer, list[Any], dict[str, Any], bytes] | None:
    """What a usual submission is made of: offer, args, kwargs, payload."""
    if type(document) is not dict or not document.keys() <= _USUAL:
        return None
    name, args, kwargs = document.get("task"), document.get("args", _NO_ARGS), document.get("kwargs", _NO_KWARGS)
    if type(name) is not str or type(args) is not list or type(kwargs) is not dict:
        return None
    offer = find(name)
    if offer is None or offer.entry.check(args, kwargs):
        return None
    return offer, args, kwargs, codec.render([name, None, args, kwargs])


_NO_ARGS: list[Any] = []
_NO_KWARGS: dict[str, Any] = {}


def _read_carefully(document: Any, find: Callable[[str], Offer | None]) -> Order:
    body, faults = _modelled(document)
    offer, more = _catalogued(document, find)
    if faults or more or body is None or offer is None:
        raise _invalid([*faults, *more])
    return Order(offer, body.args, body.kwargs, _submission(body, offer), body)


def named_task(document: Any) -> str | None:
    """The task that a body asks for, checked or not."""
    name = document.get("task") if isinstance(document, dict) else None
    return name if isinstance(name, str) else None


def _modelled(document: Any) -> tuple[Body | None, list[Fault]]:
    if not isinstance(document, dict):
        return None, [fault((), "wrong_type", "The body is a JSON object.")]
    tags = document.get("tags")
    if isinstance(tags, dict) and len(tags) > MAX_TAGS:  # pydantic would find every fault of every tag
        _, faults = _modelled({**document, "tags": {}})
        return None, [*faults, fault(("tags",), "too_long", f"A job has at most {MAX_TAGS} tags.")]
    try:
        body = Body.model_validate(document)
    except ValidationError as error:
        return None, [_fault(one) for one in error.errors(include_url=False, include_context=False, include_input=False)[:MAX_FAULTS]]
    if body.delay_s is not None and body.run_at is not None:
        return None, [fault(("run_at",), "conflicting_fields", "Give delay_s or run_at, not both.")]
    return body, []


def _catalogued(document: Any, find: Callable[[str], Offer | None]) -> tuple[Offer | None, list[Fault]]:
    name = named_task(document)
    if name is None:
        return None, []
    offer = find(name)
    if offer is None:
        return None, [fault(("task",), "unknown_task", f"No worker offers a task {name[:128]!r}.")]
    args, kwargs = document.get("args", []), document.get("kwargs", {})
    return offer, offer.entry.check(args, kwargs) if isinstance(args, list) and isinstance(kwargs, dict) else []


_CODES = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "string_pattern_mismatch": "bad_name",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "value_error": "bad_value",
}


def _fault(error: Any) -> Fault:
    path = [part for part in error["loc"] if part != "[key]"]
    return fault(path, _CODES.get(error["type"], "wrong_type"), error["msg"].removeprefix("Value error, ") + ".")


def _invalid(faults: list[Fault]) -> Invalid:
    if [one["code"] for one in faults] == ["unknown_task"]:
        return Invalid(faults[0]["detail"], code="unknown_task", faults=faults)
    return Invalid("The body breaks " + ("a rule." if len(faults) == 1 else f"{len(faults)} rules."), faults=faults)


def _submission(body: Body, offer: Offer) -> Submission:
    entry = offer.entry
    try:
        data = codec.encode_payload(entry.name, body.args, body.kwargs)
    except Invalid as error:  # the payload nests the arguments a little deeper than the body did
        raise BadInput(error.detail, code="too_deep", faults=error.faults) from error
    return Submission(
        id=new_id(),
        queue=body.queue or entry.queue,
        data=data,
        fields=submission_fields(entry, _overrides(body)),
        run_at_ms=to_ms(body.run_at) if body.run_at else 0,
        delay_ms=_ms(body.delay_s),
        expires_in_ms=_ms(body.expires_in_s),
        front=body.front,
    )


def _overrides(body: Body) -> Overrides:
    return Overrides(timeout_s=body.timeout_s, tags=body.tags, **(body.retry.model_dump() if body.retry else {}))


def _ms(seconds: float | None) -> int:
    return round(seconds * 1000) if seconds else 0


def _blank(offer: Offer) -> bytes:
    """The document of a job just queued, to be filled in; made from the same form as every other."""
    at = Submitted("accepted", "", "queued", 1)
    job = Order(offer, [], {}, Submission("", offer.entry.queue, b"", offer.fields)).accepted(at)
    mark = new_id()
    holes = {"id": f'"{mark}id"', "args": f"{mark}args", "kwargs": f"{mark}kwargs", "created_at": f"{mark}at", "enqueued_at": f"{mark}at"}
    text = codec.render(job.public() | {name: codec.Raw(hole) for name, hole in holes.items()}).replace(b"%", b"%%")
    return re.sub(mark.encode() + rb"([a-z]+)", rb"%(\1)b", text)


@lru_cache(64)
def _moment(ms: int) -> bytes:
    return f'"{rfc3339(from_ms(ms))}"'.encode()  # the same for all that were accepted together
