"""Checks one value against one JSON Schema (draft 2020-12): fast where the schema is plain, by jsonschema where it is not."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Final

from millpond.jsonfaults import MAX_FAULTS, Fault, Path, fault

Schema = Mapping[str, Any]
Fits = Callable[[Any], bool]

MAX_DETAIL: Final = 200  # characters of a fault's sentence: jsonschema quotes the whole value

_TYPES: Final[dict[str, frozenset[type]]] = {
    "string": frozenset({str}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "null": frozenset({type(None)}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}
# `format` is a note in JSON Schema, not a rule.
_NOTES: Final = frozenset({"title", "description", "default", "examples", "format"})


@dataclass(frozen=True, slots=True)
class _Plain:
    """A test that accepts only what its schema accepts. `exact`: and all of that; else jsonschema judges what it does not accept."""

    fits: Fits
    exact: bool = True


class Check:
    """A compiled schema. jsonschema needs some 20 us for each value, our own tests a fraction of one. `fits`: whether a value holds."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._plain = _plain(schema)
        self.exact = self._plain is not None and self._plain.exact
        self.fits: Fits = self._plain.fits if self._plain is not None and self.exact else self._fits

    def _fits(self, value: Any) -> bool:
        return (self._plain is not None and self._plain.fits(value)) or bool(self._validator.is_valid(value))

    def faults(self, path: Path, value: Any) -> Iterator[Fault]:
        """Why it does not, with the place below `path`."""
        if self._plain is not None and self._plain.fits(value):
            return
        if self.exact and self._inner and type(value) is self._inner[0]:
            members: Any = value
            for at, member in members.items() if self._inner[0] is dict else enumerate(members):
                yield from self._inner[1].faults((*path, at), member)
            return
        errors = islice(self._validator.iter_errors(value), MAX_FAULTS)  # a long array may hold a fault in each place
        for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
            yield fault((*path, *error.absolute_path), "wrong_type", _short(error.message))

    @cached_property
    def _inner(self) -> "tuple[type, Check] | None":
        """The container that the schema wants and what each of its members must be, where it says no more than that."""
        for kind, members in ((list, "items"), (dict, "additionalProperties")):
            if isinstance(self._schema.get(members), dict):
                return kind, Check(self._schema[members])
        return None

    @cached_property
    def _validator(self) -> Any:
        # Slow to import, and workers never need it.
        import referencing
        from jsonschema import Draft202012Validator

        # An empty registry: a schema never makes us fetch another one.
        return Draft202012Validator(self._schema, registry=referencing.Registry())


def warm() -> None:
    """Import what the first check by jsonschema would, which takes 0.1 s: for those who must not stand still then."""
    Check({"not": {}}).fits(None)


def _short(text: str) -> str:
    return text if len(text) <= MAX_DETAIL else text[: MAX_DETAIL - 3] + "..."


def _plain(schema: Schema) -> _Plain | None:
    """The test for a schema, where we have one."""
    rules = {name: rule for name, rule in schema.items() if name not in _NOTES}
    match rules:
        case {} if not rules:
            return _Plain(lambda value: True)
        case {"type": "integer"} if len(rules) == 1:
            return _Plain(lambda value: type(value) is int or (type(value) is float and value.is_integer()))
        case {"type": str(name)} if len(rules) == 1 and name in _TYPES:
            types = _TYPES[name]
            return _Plain(lambda value: type(value) in types)
        case {"enum": list(values)} if len(rules) == 1 and all(type(value) is str for value in values):
            return _Plain(lambda value: type(value) is str and value in values)
        case {"type": "array", "items": inner} if len(rules) == 2:
            return _each(list, iter, _plain(inner))
        case {"type": "object", "additionalProperties": True} if len(rules) == 2:
            return _Plain(lambda value: type(value) is dict)
        case {"type": "object", "additionalProperties": dict(inner)} if len(rules) == 2:
            return _each(dict, dict.values, _plain(inner))
        case {"anyOf": list(choices)} if len(rules) == 1:
            return _any([_plain(choice) for choice in choices])
    return None


def _each(container: type, members: Callable[[Any], Any], inner: _Plain | None) -> _Plain | None:
    if inner is None:
        return None
    fits = inner.fits
    return _Plain(lambda value: type(value) is container and all(map(fits, members(value))), inner.exact)


def _any(choices: list[_Plain | None]) -> _Plain | None:
    known = [choice for choice in choices if choice]
    tests = [choice.fits for choice in known]
    exact = len(known) == len(choices) and all(choice.exact for choice in known)
    return _Plain(lambda value: any(fits(value) for fits in tests), exact) if known else None
