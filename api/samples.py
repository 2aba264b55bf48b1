"""A value that a JSON Schema is likely to take, for examples. Whoever shows it checks it."""

from typing import Any, Final

from api.described import Schema

_VALUES: Final[dict[str, Any]] = {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "null": None, "array": [], "object": {}}


def sample(schema: Schema) -> Any:
    """What the schema itself names as a value, else the plainest of its type; "text" where anything goes. None where none is found: a
    schema is a user's, and may hold anything."""
    try:
        return _sample(schema, schema.get("$defs", {}))
    except (AttributeError, LookupError, RecursionError, TypeError):
        return None


def _sample(schema: Schema, defined: Schema) -> Any:
    if "$ref" in schema:
        return _sample(defined[schema["$ref"].rpartition("/")[2]], defined)
    for known in ("const", "default"):
        if known in schema:
            return schema[known]
    for several in ("examples", "enum", "anyOf", "oneOf"):
        if schema.get(several):
            return _sample(schema[several][0], defined) if several.endswith("Of") else schema[several][0]
    return _of_type(schema, defined)


def _of_type(schema: Schema, defined: Schema) -> Any:
    match schema.get("type", "string"):
        case "object":
            return {name: _sample(schema["properties"][name], defined) for name in schema.get("required", [])}
        case "integer" | "number" if "minimum" in schema:
            return schema["minimum"]
        case str(kind):
            return _VALUES.get(kind)
    return None
