"""Checks one value against one JSON Schema (draft 2020-12): fast where the schema is plain, by jsonschema where it is not."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Final

from millpond.jsonfaults import MAX_FAULTS, Fault, Path, fault

Schema = Mapping[str, Any]
Fits = Callable[[Any], bool]

MAX_DETAIL: Final = 200  # characters of a fault's sentence: jsonschema quotes the whole value

_TYPES: Final[dict[str, frozenset[type]]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "null": frozenset({type(None)}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}
# `format` is a note in JSON Schema, not a rule.
_NOTES: Final = frozenset({"title", "description", "default", "examples", "format"})


class Check:
    """A compiled schema."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._plain = _plain(schema)

    def fits(self, value: Any) -> bool:
        """Whether the value holds."""
        return (self._plain is not None and self._plain(value)) or (bool(self._schema) and bool(self._validator.is_valid(value)))

    def faults(self, path: Path, value: Any) -> Iterator[Fault]:
        """Why it does not, with the place below `path`."""
        if not self.fits(value):
            errors = islice(self._validator.iter_errors(value), MAX_FAULTS)  # a long array may hold a fault in each place
            for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
                yield fault((*path, *error.absolute_path), "wrong_type", _short(error.message))

    @cached_property
    def _validator(self) -> Any:
        # Slow to import, and most tasks never need it.
        import referencing
        from jsonschema import Draft202012Validator

        # An empty registry: a schema never makes us fetch another one.
        return Draft202012Validator(self._schema, registry=referencing.Registry())


def _short(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 3] + "..."


def _plain(schema: Schema) -> Fits | None:
    """A test that accepts only what the schema accepts, or None: what it does not accept is for jsonschema to judge."""
    rules = {name: rule for name, rule in schema.items() if name not in _NOTES}
    match rules:
        case {} if not rules:
            return lambda value: True
        case {"type": str(name)} if len(rules) == 1 and name in _TYPES:
            types = _TYPES[name]
            return lambda value: type(value) in types
        case {"enum": list(values)} if len(rules) == 1 and all(type(value) is str for value in values):
            return lambda value: type(value) is str and value in values
        case {"type": "array", "items": inner} if len(rules) == 2:
            return _each(list, iter, _plain(inner))
        case {"type": "object", "additionalProperties": True} if len(rules) == 2:
            return lambda value: type(value) is dict
        case {"type": "object", "additionalProperties": dict(inner)} if len(rules) == 2:
            return _each(dict, dict.values, _plain(inner))
        case {"anyOf": list(choices)} if len(rules) == 1:
            return _any([_plain(choice) for choice in choices])
    return None


def _each(container: type, members: Callable[[Any], Any], inner: Fits | None) -> Fits | None:
    return inner and (lambda value: type(value) is container and all(inner(member) for member in members(value)))


def _any(choices: list[Fits | None]) -> Fits | None:
    known = [choice for choice in choices if choice]
    return (lambda value: any(fits(value) for fits in known)) if known else None
