"""The JSON Schemas of what goes in and out, made from the models that check and carry it."""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal, get_type_hints

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from api.codes import FAULTS, PROBLEMS
from api.described import TEXT, Schema, listed, record, ref
from api.orders import Body, Retry
from api.problems import MEDIA_TYPE
from api.queues import Queue, Worker
from millpond import codec
from millpond.catalogue import POLICY, Entry
from millpond.job import Job, State
from millpond.joblog import CUT, LEVELS, STREAMS
from millpond.parameters import Parameter
from millpond.times import from_ms
from millpond.views import JobError

__all__ = ["JOB", "MEDIA_TYPE", "components", "refusal"]

JOB: Final[Mapping[str, str]] = {
    "id": "32 hexadecimal digits, in the order of time",
    "task": "what runs; null where a stock RQ producer's payload cannot be read",
    "queue": "where it waits",
    "status": ", ".join(f"`{state}`" for state in State),
    "reason": "why it is in this state, where that needs saying; `held`: its task's limits keep it aside",
    "attempt": "starts in this run; the last shows within 40 ms",
    "failures": "exceptions and time-outs in this run",
    "max_attempts": "how many failures end it",
    "run": "retry calls + 1",
    "version": "one more for each move; the `ETag`",
    "args": "the arguments by position",
    "kwargs": "the arguments by name",
    "tags": "what was submitted to find it by",
    "owner": "who submitted it",
    "timeout_s": "how long one attempt may run; null: no limit, as stock RQ's producers may ask",
    "worker": "who ran it last",
    "progress": "what the function last said",
    "created_at": "when it was accepted",
    "enqueued_at": "when it last began to wait in its queue",
    "started_at": "when its last attempt began",
    "ended_at": "when it ended",
    "recorded_at": "the database's commit",
    "run_at": "when it is due",
    "expires_at": "when it ends `expired`",
    "result": "what the function returned",
    "error": "why it failed: `{code, message, traceback}`",
}
"""The members of a job in the order of `Job.public`, and what they mean."""


@cache
def components() -> dict[str, Schema]:
    """Every schema that calls refer to, but those of the catalogue's tasks."""
    return {
        "Submission": _plain(Body),
        "Retry": _plain(Retry),
        "Job": _job(),
        "JobError": _plain(JobError),
        "Moved": _said(record(id=TEXT, status=_STATUS, version={"type": "integer"}), "The job moved, and cannot be read just now."),
        "Page": record(jobs=listed(ref("Job")), next={"type": ["string", "null"], "description": "the `cursor` of the next page"}),
        "Log": record(
            lines=listed(ref("LogLine")),
            next={"type": ["string", "null"], "description": "the `cursor` of what comes after; null: the job ended, and that was all"},
        ),
        "LogLine": _line(),
        "Batch": _batch(),
        "CalledOff": record(
            id=TEXT,
            canceled={"type": "integer", "description": "jobs that ended at once"},
            told={"type": "integer", "description": "jobs that run and were told to end"},
            done={"type": "boolean", "description": "false: send it again, it goes on"},
        ),
        "Task": _task(),
        "TaskParameter": _plain(Parameter),
        "Queue": _plain(Queue),
        "Worker": _plain(Worker),
        "Problem": _problem(),
        "Fault": record(
            pointer={"type": "string", "description": "a JSON Pointer into the body, as a URI fragment: `#/args/0`"},
            code={"enum": list(FAULTS)},
            detail={"type": "string", "description": "a sentence for people"},
        ),
    }


def refusal(status: int, words: list[str]) -> Schema:
    """A problem document of one status with one of these codes."""
    return {"allOf": [ref("Problem"), {"properties": {"status": {"const": status}, "code": {"enum": words}}}]}


def _problem() -> Schema:
    document = record(
        type={"type": "string", "description": "a URI reference"},
        title={"type": "string", "description": "the status in words"},
        status={"type": "integer"},
        code={"enum": list(PROBLEMS), "description": "stable; the same word in metrics and logs"},
        detail={"type": "string", "description": "a sentence for people"},
    )
    more = {
        "request_id": TEXT,
        "errors": listed(ref("Fault")),
        "violated-policies": {**listed(TEXT), "description": "the limit that was met"},
        "queue_depth": {"type": ["integer", "null"], "description": "how many jobs wait in the queue that was asked for"},
        "estimated_wait_s": {"type": ["number", "null"], "description": "how long they take at the pace of late"},
    }
    properties = {**document["properties"], **more}
    return _said({**document, "properties": properties, "additionalProperties": True}, "An RFC 9457 problem document.")


_STATUS: Final[Schema] = {"enum": [state.value for state in State]}


_SHOWN: Final = Job(
    id="019c0f3a5b7c7d2e8a41b6c3d9e0f152",
    task="sleep",
    queue="default",
    status="finished",
    version=4,
    attempt=1,
    max_attempts=1,
    args=[0.1],
    kwargs={},
    tags={"who": "me"},
    timeout_s=600,
    worker="7c2f1d0e9b8a4c6d",
    created_at=from_ms(1_769_860_800_000),
    enqueued_at=from_ms(1_769_860_800_000),
    started_at=from_ms(1_769_860_800_004),
    ended_at=from_ms(1_769_860_800_105),
    recorded_at=from_ms(1_769_860_800_230),
)


def _job() -> Schema:
    hints = get_type_hints(Job)
    shapes: dict[str, Schema] = {name: _plain(hints.get(name, Any)) for name in Job(id="", status="queued").public()}
    shapes |= {"status": _STATUS, "error": {"anyOf": [ref("JobError"), {"type": "null"}]}}
    properties = {name: {**shape, "description": JOB[name]} for name, shape in shapes.items()}
    example = orjson.loads(codec.render(_SHOWN.public()))
    return {**_said(record(**properties), "A job as it stood when it was read."), "examples": [example]}


def _line() -> Schema:
    number: Schema = {"type": "integer", "minimum": 1}
    return record(
        run=number,
        attempt=number,
        line={**number, "description": "counts within the attempt"},
        at={**_plain(datetime | None), "description": "when it was said: the attempt's start and the time since by its worker's clock"},
        level={
            "enum": [*LEVELS, *STREAMS, CUT],
            "description": f"`{STREAMS[0]}`, `{STREAMS[1]}`: printed; `{CUT}`: lines are missing here",
        },
        text=TEXT,
    )


BATCH: Final[Mapping[str, str]] = {
    "id": "24 hexadecimal digits; the id of a line's job is these and the line's number in 8 hexadecimal digits",
    "created_at": "when the upload began",
    "complete": "whether the upload came to its end",
    "canceled": "whether it was canceled; then it takes no more lines",
    "lines": "lines consumed so far, counted from 1: those that became jobs, those refused, and blank ones",
    "accepted": "lines that became jobs",
    "rejected": "lines that were refused",
    "counts": "of the accepted jobs, how many are in each status now; they add up to `accepted`",
    "problems": "of the first 100 refused lines: `{line, code, detail, errors}`, codes and pointers as POST /v1/jobs answers them",
}
"""The members of a batch in the order of `Summary.public`, and what they mean."""


def _batch() -> Schema:
    whole: Schema = {"type": "integer", "minimum": 0}
    shapes: dict[str, Schema] = dict.fromkeys(BATCH, whole)
    shapes |= {"id": TEXT, "created_at": _plain(datetime), "complete": {"type": "boolean"}, "canceled": {"type": "boolean"}}
    shapes["counts"] = record(**{state.value: whole for state in State})
    shapes["problems"] = listed(record(line=whole, code={"enum": list(PROBLEMS)}, detail=TEXT, errors=listed(ref("Fault"))))
    properties = {name: {**shape, "description": BATCH[name]} for name, shape in shapes.items()}
    return _said(record(**properties), "A batch as it is at one moment.")


def _task() -> Schema:
    hints = get_type_hints(Entry)
    further = "the JSON Schema of each further argument {}; null if none is taken"
    document = record(
        **{name: _plain(hints[name]) for name in POLICY},
        params=listed(ref("TaskParameter")),
        var_args={"type": ["object", "null"], "description": further.format("by position")},
        var_kwargs={"type": ["object", "null"], "description": further.format("by name")},
        digest={"type": "string", "description": "changes when the task does"},
        seen_ms={"type": "integer", "description": "when a worker last offered it, in milliseconds since 1970"},
    )
    return _said(document, "A task that can be submitted, and how its jobs run unless a submission says otherwise.")


def _said(schema: Schema, meaning: str) -> Schema:
    return {**schema, "description": meaning}


class _Plain(GenerateJsonSchema):
    """Without titles that repeat the names; names that match no pattern are refused, as the models do."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        return made | {"additionalProperties": False} if "patternProperties" in made else made


def _plain(model: Any) -> dict[str, Any]:
    mode: Literal["validation", "serialization"] = "validation" if model in (Body, Retry) else "serialization"
    made = TypeAdapter(model).json_schema(mode=mode, schema_generator=_Plain, ref_template="#/components/schemas/{model}")
    made.pop("$defs", None)  # those have entries of their own
    made.pop("title", None)
    return made
