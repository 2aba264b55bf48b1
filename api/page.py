"""The page /docs: the OpenAPI document as HTML that loads nothing and runs nothing (api/pages/docs.html and docs.css)."""

import base64
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from tornado.escape import xhtml_escape
from tornado.template import Template

from api.described import JSON, Schema
from api.samples import sample
from api.taskschemas import PREFIX

BASE: Final = "http://127.0.0.1:8888"  # of the curl lines
_FOLDER: Final = Path(__file__).parent / "pages"
_STYLE: Final = (_FOLDER / "docs.css").read_text()
STYLE_DIGEST: Final = "sha256-" + base64.b64encode(sha256(_STYLE.encode()).digest()).decode()

_METHODS: Final = ("get", "post", "put", "patch", "delete", "options")
_BOUNDS: Final = {
    "minimum": "from {}",
    "maximum": "to {}",
    "maxLength": "at most {} characters",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "maxProperties": "at most {}",
}


def render(document: Mapping[str, Any]) -> bytes:
    """The page of a document that `api.openapi` made."""
    schemas = document["components"]["schemas"]
    return _template.generate(
        info=document["info"],
        style=_STYLE,
        sections=_sections(document),
        tasks={name.removeprefix(PREFIX): schema for name, schema in schemas.items() if name.startswith(PREFIX)},
        schemas={name: schema for name, schema in schemas.items() if not name.startswith(PREFIX)},
        anchor=anchor,
        rich=rich,
        shape=shape,
        curl=curl,
        pretty=lambda value: json.dumps(value, indent=2, ensure_ascii=False),
        example=lambda schema: _example(schema, document),
    )


def anchor(tag: str) -> str:
    """The id of a section."""
    return re.sub(r"\W+", "-", tag).lower()


def curl(method: str, path: str, kind: str = "", body: Any = None) -> str:
    """A command that makes the call, an option a line; what is in capitals is the reader's to fill in."""
    words = ["curl"] + (["-X", method.upper()] if method != ("post" if kind else "get") else [])
    lines = [[*words, BASE + re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), path)]]
    if kind:
        data = ["-d", json.dumps(body, ensure_ascii=False)] if kind == JSON else ["--data-binary", "@FILE"]
        lines += [["-H", f"Content-Type: {kind}"], data]
    return " \\\n  ".join(map(shlex.join, lines))


def rich(text: str) -> str:
    """Text with `code` and lists as HTML."""
    lines = [re.sub(r"`([^`]+)`", r"<code>\1</code>", xhtml_escape(line)) for line in text.splitlines()]
    items = "".join(f"<li>{line.removeprefix('- ')}</li>" for line in lines if line.startswith("- "))
    said = " ".join(line for line in lines if not line.startswith("- "))
    return said + (f"<ul>{items}</ul>" if items else "")


def shape(schema: Schema) -> str:
    """What a schema takes, in a few words of HTML."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{xhtml_escape(name)}">{xhtml_escape(name.removeprefix(PREFIX))}</a>'
    for choices in ("anyOf", "oneOf"):
        if choices in schema and "type" not in schema:
            return " or ".join(shape(one) for one in schema[choices])
    if "const" in schema or "enum" in schema:
        return " ".join(f"<code>{xhtml_escape(json.dumps(one))}</code>" for one in schema.get("enum", [schema.get("const")]))
    return ", ".join(filter(None, [_kind(schema), " ".join(_limits(schema))]))


def _kind(schema: Schema) -> str:
    inner = schema.get("items") or schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    match schema.get("type"):
        case None:
            return "any JSON"
        case "array" if inner:
            return f"list of {shape(inner)}"
        case "object" if isinstance(inner, dict):
            return f"object of {shape(inner)}"
        case "string" if schema.get("format") == "date-time":
            return "time"
        case list(kinds):
            return " or ".join(kinds)
        case kind:
            return xhtml_escape(str(kind))


def _limits(schema: Schema) -> Iterator[str]:
    yield from (text.format(f"{schema[name]:,}") for name, text in _BOUNDS.items() if name in schema)
    if "pattern" in schema:
        yield f"<code>{xhtml_escape(schema['pattern'])}</code>"


def _sections(document: Mapping[str, Any]) -> dict[str, list[tuple[str, str, list[Any], Any]]]:
    """Of each tag: (method, path, parameters of the path, operation)."""
    sections: dict[str, list[tuple[str, str, list[Any], Any]]] = {}
    for path, item in document["paths"].items():
        for method in (one for one in _METHODS if one in item):
            operation = item[method]
            parameters = [*item["parameters"], *operation.get("parameters", [])]
            sections.setdefault(operation["tags"][0], []).append((method, path, parameters, operation))
    return sections


def _example(schema: Schema, document: Mapping[str, Any]) -> Any:
    """An example of a body: what its schema says, or the first of its choices, or the plainest."""
    while "oneOf" in schema or "$ref" in schema:
        target = schema["oneOf"][0] if "oneOf" in schema else schema
        schema = document["components"]["schemas"][target["$ref"].rpartition("/")[2]]
    return schema["examples"][0] if "examples" in schema else sample(schema)


_template: Final = Template((_FOLDER / "docs.html").read_text(), "docs.html", autoescape="xhtml_escape", whitespace="oneline")
