"""A schema of a submission for each task of the catalogue: it takes exactly what the task takes.

Arguments come by position or by name, never both, so each number of arguments by position is a case of its own (`anyOf`).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from api.described import Schema, ref
from api.samples import sample
from millpond.catalogue import Entry
from millpond.parameters import Parameter, Parameters

PREFIX: Final = "task."  # of the schemas' names: none of ours has a dot
_AS_IT_IS: Final = frozenset({"const", "default", "enum", "examples"})  # values, in which "#/$defs/..." is text


def submissions(entries: Iterable[Entry]) -> dict[str, Schema]:
    """The schemas of all tasks, and those that they refer to, by name."""
    schemas: dict[str, Schema] = {}
    for entry in entries:
        found: dict[str, Schema] = {}
        schemas[PREFIX + entry.name] = _submission(entry, found)
        schemas |= found
    return schemas


def any_of(entries: Iterable[Entry]) -> Schema:
    """The schema of a submission for one of these tasks; for any task if there is none."""
    names = [entry.name for entry in entries]
    if not names:
        return ref("Submission")
    mapping = {name: f"#/components/schemas/{PREFIX}{name}" for name in names}
    return {"oneOf": [ref(PREFIX + name) for name in names], "discriminator": {"propertyName": "task", "mapping": mapping}}


def example(entry: Entry) -> dict[str, Any] | None:
    """A submission of the task with what it must have, by name where that is possible; None where no value is sure to fit."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for one in entry.parameters.named:
        if one.required and one.kind == "positional":
            args.append(sample(one.schema))
        elif one.required:
            kwargs[one.name] = sample(one.schema)
    given = {"args": args, "kwargs": kwargs}
    return None if entry.check(args, kwargs) else {"task": entry.name} | {name: value for name, value in given.items() if value}


def _submission(entry: Entry, found: dict[str, Schema]) -> Schema:
    parameters = _hoisted(entry, found)
    positional = [one for one in parameters.named if one.kind != "keyword"]
    bare = sum(one.required and one.kind == "positional" for one in positional)  # so many must come by position
    own = {
        "type": "object",
        "properties": {"task": {"const": entry.name}, "args": _args(parameters, positional), "kwargs": _kwargs(parameters)},
        "required": ["task"],
        "anyOf": [_case(parameters, positional, given) for given in range(bare, len(positional) + 1)],
    }
    sure = example(entry)
    return {"title": entry.name, "allOf": [ref("Submission"), own]} | ({"examples": [sure]} if sure else {})


def _args(parameters: Parameters, positional: list[Parameter]) -> Schema:
    array: dict[str, Any] = {"type": "array"}
    if positional:
        array["prefixItems"] = [{"title": one.name, **one.schema} for one in positional]
    return array | ({"maxItems": len(positional)} if parameters.var_args is None else {"items": parameters.var_args})


def _kwargs(parameters: Parameters) -> Schema:
    properties = {one.name: one.schema for one in parameters.named if one.kind != "positional"}
    return {"type": "object", "properties": properties, "additionalProperties": parameters.var_kwargs is not None and parameters.var_kwargs}


def _case(parameters: Parameters, positional: list[Parameter], given: int) -> Schema:
    """What holds where so many arguments come by position."""
    taken = positional[:given]
    needed = [one.name for one in parameters.named if one.required and one not in taken]
    args = {"minItems": given} | ({"maxItems": given} if given < len(positional) else {})
    kwargs = {"properties": {one.name: False for one in taken if one.kind == "either"}, "required": needed}
    required = [name for name, must in (("args", given), ("kwargs", needed)) if must]
    return {"properties": {"args": args, "kwargs": kwargs}, "required": required}


def _hoisted(entry: Entry, found: dict[str, Schema]) -> Parameters:
    """The parameters, their schemas' own definitions moved to `found`: in one document, `#/$defs` would be nowhere."""

    def hoist(schema: Schema, name: str) -> Schema:
        prefix = f"{PREFIX}{entry.name}.{name}"
        found.update({f"{prefix}.{key}": _rooted(inner, prefix) for key, inner in schema.get("$defs", {}).items()})
        rooted: Schema = _rooted({key: value for key, value in schema.items() if key != "$defs"}, prefix)
        return rooted

    given = entry.parameters
    return Parameters(
        tuple(replace(one, schema=hoist(one.schema, one.name)) for one in given.named),
        None if given.var_args is None else hoist(given.var_args, "args"),
        None if given.var_kwargs is None else hoist(given.var_kwargs, "kwargs"),
    )


def _rooted(node: Any, prefix: str) -> Any:
    match node:
        case dict():
            return {key: value if key in _AS_IT_IS else _rooted(value, prefix) for key, value in node.items()}
        case list():
            return [_rooted(one, prefix) for one in node]
        case str() if node.startswith("#/$defs/"):
            return f"#/components/schemas/{prefix}.{node.removeprefix('#/$defs/')}"
    return node
