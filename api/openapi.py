"""The OpenAPI 3.1 document: every handler's calls, the models' schemas, and a schema for each task of the catalogue."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from api import schemas, taskschemas
from api.codes import Code, by_status
from api.described import ANSWERED_ID, EVERY, QUOTA, REQUEST_ID, RETRY_AFTER, Call, Parameter, ref
from api.handler import Handler
from millpond import __version__
from millpond.catalogue import Entry
from millpond.task import QUEUE_NAME

Document = dict[str, Any]
Routes = Sequence[tuple[str, type[Handler]]]

ABOUT: Final = (
    "Millpond takes jobs in at once, runs them behind, and records every outcome exactly once. JSON in UTF-8; times are UTC in RFC 3339; "
    "durations are seconds. Errors are problem documents (RFC 9457) with a stable `code`. HEAD answers where GET does. A path that "
    "is not here is a 404 `not_found`, a method that is not here a 405 `method_not_allowed` with `Allow`."
)

_LICENSE: Final = {"name": "Apache 2.0", "identifier": "Apache-2.0"}

IN_PATH: Final = {
    "id": Parameter("id", "path", "The job's id.", {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}),
    "batch": Parameter("batch", "path", "The batch's id.", {"type": "string", "pattern": "^[0-9a-f]{24}$"}),
    "queue": Parameter("queue", "path", "The queue's name.", {"type": "string", "pattern": f"^{QUEUE_NAME.pattern}$"}),
}
"""What the names in braces of a handler's `route` stand for."""


def document(routes: Routes, entries: Iterable[Entry]) -> Document:
    """The whole document, for the tasks that there are."""
    offered = sorted(entries, key=lambda entry: entry.name)
    return {
        "openapi": "3.1.1",
        "info": {"title": "Millpond", "version": __version__, "license": _LICENSE, "description": ABOUT},
        "servers": [{"url": "/"}],
        "paths": {handler.route: _path(handler, offered) for _, handler in routes},
        "components": {"schemas": {**schemas.components(), **taskschemas.submissions(offered)}},
    }


def _path(handler: type[Handler], offered: Sequence[Entry]) -> dict[str, Any]:
    shared = [*(one for name, one in IN_PATH.items() if f"{{{name}}}" in handler.route), REQUEST_ID]
    missing = ("not_found",) if "{" in handler.route else ()  # what is no such name is no such path
    calls = {method.lower(): _operation(call, offered, missing) for method, call in handler.calls.items()}
    return {"parameters": [one.document() for one in shared], **calls}


def _operation(call: Call, offered: Sequence[Entry], more: Sequence[str]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": call.name, "tags": [call.tag], "summary": call.summary}
    if call.text:
        operation["description"] = call.text
    if call.takes:
        operation["parameters"] = [one.document() for one in call.takes]
    if call.body:
        operation["requestBody"] = {"required": call.must, "content": {call.body_kind: {"schema": _body(call.body, offered)}}}
    answers = {str(status): _answer(call, status) for status in dict.fromkeys(answer.status for answer in call.answers)}
    refusals = {str(status): _refusal(status, codes) for status, codes in by_status({*EVERY, *call.refuses, *more}).items()}
    return {**operation, "responses": {**answers, **refusals}}


def _body(schema: Mapping[str, Any], offered: Sequence[Entry]) -> Mapping[str, Any]:
    return taskschemas.any_of(offered) if schema == ref("Submission") else schema


def _answer(call: Call, status: int) -> dict[str, Any]:
    forms = [answer for answer in call.answers if answer.status == status]  # the same in several media types
    headers = {one.name: one.document() for one in (ANSWERED_ID, *forms[0].headers)}
    content = {answer.kind: {"schema": answer.schema} for answer in forms if answer.schema is not None}
    links = {name: {"operationId": name, "parameters": {"id": "$response.body#/id"}} for name in call.leads}
    more = {"content": content, "links": links}
    return {"description": forms[0].meaning, "headers": headers, **{name: part for name, part in more.items() if part}}


def _refusal(status: int, codes: Sequence[Code]) -> dict[str, Any]:
    words = [code.word for code in codes]
    headers = {"Retry-After": RETRY_AFTER.document()} if status in (429, 503) else {}
    headers |= {one.name: one.document() for one in QUOTA} if status == 429 else {}
    return {
        "description": "\n".join(f"- `{code.word}`: {code.meaning}" for code in codes),
        **({"headers": headers} if headers else {}),
        "content": {schemas.MEDIA_TYPE: {"schema": schemas.refusal(status, words)}},
    }
