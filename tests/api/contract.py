"""Whether an answer is one that /openapi.json describes. Every answer that a test of the API gets goes through here."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import httpx2
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from api import openapi
from api.app import ROUTES

STREAMS = ("text/event-stream", "application/x-ndjson")

# Headers of every answer, or of HTTP itself.
_COMMON = {"allow", "cache-control", "connection", "content-length", "content-security-policy", "content-type", "date", "server", "vary"}
_COMMON |= {"transfer-encoding", "x-content-type-options", "x-request-id"}


@cache
def document() -> openapi.Document:
    """The contract without a catalogue: what tasks take changes no answer."""
    return openapi.document(ROUTES, [])


def check(answer: httpx2.Response) -> None:
    """Raise AssertionError, naming the call and the fault, for an answer that the contract does not describe."""
    request = answer.request
    kind = answer.headers.get("Content-Type", "")
    text = b"" if kind.startswith(STREAMS) else answer.read()
    path = request.url.raw_path.decode().partition("?")[0]
    route = next((handler.route for pattern, handler in ROUTES if re.fullmatch(pattern, path)), None)
    fault = _fault(route, request.method, answer, kind, text)
    assert not fault, f"{request.method} {route or path} answered {answer.status_code}: {fault}; see Handler.calls and api/codes.py"


def _fault(route: str | None, method: str, answer: httpx2.Response, kind: str, text: bytes) -> str:
    call = document()["paths"].get(route, {}).get({"HEAD": "get"}.get(method, method.lower()))
    if call is None:
        return "" if answer.status_code in (400, 404, 405, 413) else "no such call is described"
    if answer.status_code == 405:
        return "" if method == "HEAD" else "the call is described"  # a HEAD that would make work is refused
    described = call["responses"].get(str(answer.status_code))
    if described is None:
        return f"there is no such status ({text[:200]!r})"
    return _header_fault(described.get("headers", {}), answer) or _body_fault(described.get("content", {}), method, answer, kind, text)


def _header_fault(described: Mapping[str, Any], answer: httpx2.Response) -> str:
    for name, header in described.items():
        value = answer.headers.get(name)
        if value is None and header["required"]:
            return f"the header {name} is missing"
        typed = int(value) if value and header["schema"].get("type") == "integer" and value.isdecimal() else value
        if value is not None and not Draft202012Validator(header["schema"]).is_valid(typed):
            return f"{name}: {value}"
    known = _COMMON | {name.lower() for name in described}
    more = {name for name in map(str.lower, answer.headers) if name not in known and not name.startswith("access-control-")}
    return f"the headers {sorted(more)} are not described" if more else ""


def _body_fault(described: Mapping[str, Any], method: str, answer: httpx2.Response, kind: str, text: bytes) -> str:
    if not text:
        return "" if method == "HEAD" or kind.startswith(STREAMS) or not described else "it has no body"
    if kind not in described:
        return f"it is {kind}"
    if "json" not in kind:
        return ""
    validator, body = _validator(json.dumps(described[kind]["schema"])), answer.json()
    error = None if validator.is_valid(body) else best_match(validator.iter_errors(body))
    return f"{error.json_path}: {error.message[:300]}" if error else ""


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(_closed({**json.loads(schema), "components": document()["components"]}))


def _closed(node: Any) -> Any:
    """The schema, which also refuses members that it does not describe: a client ignores those, a test does not."""
    if isinstance(node, list):
        return [_closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _closed(value) for key, value in node.items()}
    return {"additionalProperties": False, **inner} if node.get("type") == "object" and "properties" in node else inner
