"""Gates: what a task's `concurrency` and `rate_per_s` let pass, as a job's hash has it for the scripts (ADR 0014).

A gate is known by its key: the task, or the task and the value that `limit_by` names. The jobs of one key share its turns, whichever
queue they wait in and whoever runs them.
"""

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

import orjson

from millpond.catalogue import Entry

TAG: Final = "tags."
MAX_VALUE: Final = 100  # bytes of a value in a key; of a longer one a digest stands there


def field(entry: Entry, args: Sequence[Any], kwargs: Mapping[str, Any], tags: Mapping[str, str]) -> str:
    """The hash field `gate` of a job: how many run at once (0: any number), how many begin within how many ms (0: any), the key. Empty
    for a task without limits."""
    if entry.concurrency is None and entry.rate_per_s is None:
        return ""
    starts, window_ms = _pace(entry.rate_per_s)
    key = entry.name if entry.limit_by is None else f"{entry.name}:{_text(_value(entry, args, kwargs, tags))}"
    return f"{entry.concurrency or 0} {starts} {window_ms} {key}"


def by_argument(entry: Entry) -> bool:
    """Whether the key depends on a job's arguments."""
    return entry.limit_by is not None and not entry.limit_by.startswith(TAG)


def _pace(rate_per_s: float | None) -> tuple[int, int]:
    """So many starts in so many ms: a rate below 1 is one start in a longer time."""
    if rate_per_s is None:
        return 0, 0
    return (int(rate_per_s), 1000) if rate_per_s >= 1 else (1, math.ceil(1000 / rate_per_s))


def _value(entry: Entry, args: Sequence[Any], kwargs: Mapping[str, Any], tags: Mapping[str, str]) -> Any:
    """The tag or argument that the key is made of; "" where the job has none: such jobs share one gate."""
    name = entry.limit_by or ""
    if not by_argument(entry):
        return tags.get(name.removeprefix(TAG), "")
    names = [one.name for one in entry.parameters.named if one.kind != "keyword"]
    at = names.index(name) if name in names else len(args)
    return args[at] if at < len(args) else kwargs.get(name, "")


def _text(value: Any) -> str:
    raw = value.encode() if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return raw.decode() if len(raw) <= MAX_VALUE else sha256(raw).hexdigest()[:32]
