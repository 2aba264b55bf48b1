"""A task's parameters as JSON Schema, and whether given arguments fit them: all faults, each with its place.

Made from a function's signature where the user's code is (`Parameters.of`), sent as JSON, checked where it is not. Arguments
bind as Python binds them: positional-only, keyword-only, *args, **kwargs, defaults.
"""

import inspect
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from operator import call
from typing import Any, Final, Literal

from millpond.errors import BadSetting
from millpond.jsonfaults import MAX_FAULTS, Fault, fault
from millpond.jsonschemas import Check, Fits, Schema

Kind = Literal["positional", "either", "keyword"]

_KINDS: Final[dict[Any, Kind]] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
}
_ANY: Final[Schema] = {}
_KNOWN_FORMS: Final = 64  # of a call of one task


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named parameter; `schema` {} takes any JSON value."""

    name: str
    kind: Kind
    required: bool
    schema: Schema


@dataclass(frozen=True)
class Parameters:
    """All parameters in their order. `var_args`, `var_kwargs`: the schema of each further argument, None where none is taken."""

    named: tuple[Parameter, ...] = ()
    var_args: Schema | None = None
    var_kwargs: Schema | None = None

    @classmethod
    def of(cls, task: str, function: Callable[..., Any]) -> "Parameters":
        """Describe a function's parameters; raises BadSetting naming the task and the parameter whose annotation has no schema."""
        hints = _hints(task, function)
        named: list[Parameter] = []
        var: dict[Any, Schema] = {}
        for one in inspect.signature(function).parameters.values():
            schema = _schema(task, one.name, hints[one.name]) if one.name in hints else _ANY
            if one.kind in _KINDS:
                named.append(Parameter(one.name, _KINDS[one.kind], one.default is inspect.Parameter.empty, schema))
            else:
                var[one.kind] = schema
        return cls(tuple(named), var.get(inspect.Parameter.VAR_POSITIONAL), var.get(inspect.Parameter.VAR_KEYWORD))

    @cached_property
    def exact(self) -> bool:
        """Whether no argument needs jsonschema to be judged (`jsonschemas.Check.exact`)."""
        return all(check.exact for check in (*self._checks.values(), self._more_args, self._more_kwargs) if check)

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Fault]:
        """Every reason (the first 20) why the function cannot take these arguments: missing_argument, unexpected_argument,
        too_many_arguments, wrong_type; pointers are into a submission's body (#/args/0, #/kwargs/width)."""
        if self._fits(args, kwargs):
            return []
        return list(islice(chain(self._misplaced(args, kwargs), self._mistyped(args, kwargs)), MAX_FAULTS))

    def _fits(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether all is well, decided without making a list of faults: the usual case."""
        form = (len(args), *kwargs)
        tests = self._forms.get(form)
        if tests is None:
            if (tests := self._tests(len(args), kwargs)) is None:
                return False
            if len(self._forms) < _KNOWN_FORMS:
                self._forms[form] = tests
        return all(map(call, tests, chain(args, kwargs.values())))

    def _tests(self, given: int, names: Mapping[str, Any]) -> tuple[Fits, ...] | None:
        """What so many arguments by position and these by name must pass, in their order; None where they do not bind, or bind to more
        than the named parameters."""
        if given > len(self._positional):
            return None
        free, required = self._rests[given]
        if not required <= names.keys() <= free:
            return None
        return tuple(self._checks[name].fits for name in (*(one.name for one in self._positional[:given]), *names))

    def _misplaced(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Fault]:
        taken, free = self._positional[: len(args)], self._free(args)
        if self.var_args is None and len(args) > len(self._positional):
            most = len(self._positional)
            yield fault(("args", most), "too_many_arguments", f"At most {most} arguments by position; {len(args)} were given.")
        for name in kwargs:
            if name not in free and any(one.name == name and one.kind != "positional" for one in taken):
                yield fault(("kwargs", name), "unexpected_argument", "This argument is given by position already.")
            elif name not in free and self.var_kwargs is None:
                yield fault(("kwargs", name), "unexpected_argument", f"There is no argument {name[:64]!r} by name.")
        for at, one in enumerate(self.named):
            if one.required and one not in taken and (one.kind == "positional" or one.name not in kwargs):
                where = ("args", at) if one.kind == "positional" else ("kwargs", one.name)
                yield fault(where, "missing_argument", f"The argument {one.name!r} is missing.")

    def _mistyped(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Iterator[Fault]:
        for at, value in enumerate(args):
            if at < len(self._positional):
                yield from self._checks[self._positional[at].name].faults(("args", at), value)
            elif self._more_args:
                yield from self._more_args.faults(("args", at), value)
        free = self._free(args)
        for name, value in kwargs.items():
            if name in free:
                yield from self._checks[name].faults(("kwargs", name), value)
            elif self._more_kwargs:
                yield from self._more_kwargs.faults(("kwargs", name), value)

    def _free(self, args: Sequence[Any]) -> frozenset[str]:
        return self._rests[min(len(args), len(self._positional))][0]

    @cached_property
    def _positional(self) -> tuple[Parameter, ...]:
        return tuple(one for one in self.named if one.kind != "keyword")

    @cached_property
    def _checks(self) -> dict[str, Check]:
        return {one.name: Check(one.schema) for one in self.named}

    @cached_property
    def _forms(self) -> dict[tuple[Any, ...], tuple[Fits, ...]]:
        """`_tests` by the number of arguments and their names: callers of a task all write much the same."""
        return {}

    @cached_property
    def _more_args(self) -> Check | None:
        return None if self.var_args is None else Check(self.var_args)

    @cached_property
    def _more_kwargs(self) -> Check | None:
        return None if self.var_kwargs is None else Check(self.var_kwargs)

    @cached_property
    def _rests(self) -> list[tuple[frozenset[str], frozenset[str]]]:
        """After n arguments by position: the names that a keyword may still fill, and those that are still required."""
        return [self._rest(given) for given in range(len(self._positional) + 1)]

    def _rest(self, given: int) -> tuple[frozenset[str], frozenset[str]]:
        rest = [one for one in self.named if one not in self._positional[:given]]
        return frozenset(one.name for one in rest if one.kind != "positional"), frozenset(one.name for one in rest if one.required)


def _hints(task: str, function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:
        raise BadSetting(f"Task {task!r}: its annotations cannot be read: {error}") from error


def _schema(task: str, name: str, hint: Any) -> Schema:
    # Slow to import, and only workers describe tasks.
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(hint).json_schema()
    except (PydanticUserError, TypeError, ValueError) as error:
        raise BadSetting(f"Task {task!r}: the annotation of parameter {name!r} ({hint!r}) has no JSON Schema.") from error
