"""The tasks that workers offer, as Redis holds them: the API checks submissions by it and never sees a user's code."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from typing import Any

import redis

from millpond import codec, keys
from millpond.errors import BadInput, Undecodable
from millpond.jsonfaults import Fault
from millpond.loader import load
from millpond.parameters import Parameter, Parameters
from millpond.task import Rerun, Task

__all__ = ["Entry", "entries_from_hash", "load", "publish"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One task as published. `digest` changes whenever anything but `seen_ms` does; `seen_ms`: Redis's time of the last
    publication, which a task that no worker offers any more keeps."""

    name: str
    queue: str
    timeout_s: float | None
    max_attempts: int
    backoff_s: float
    backoff_factor: float
    max_backoff_s: float
    jitter: float
    rerun: Rerun
    parameters: Parameters = field(repr=False)
    concurrency: int | None = None
    rate_per_s: float | None = None
    limit_by: str | None = None
    digest: str = ""
    seen_ms: int = 0

    @classmethod
    def of(cls, task: Task, seen_ms: int = 0) -> "Entry":
        """Describe a task; raises BadSetting where a parameter has no JSON Schema."""
        policy = {name: getattr(task, name) for name in POLICY}
        entry = cls(parameters=Parameters.of(task.name, task.function), **policy)
        return cls(**(vars(entry) | {"digest": entry._digest(), "seen_ms": seen_ms}))

    def check(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Fault]:
        """`Parameters.check`: every reason why the task cannot take these arguments."""
        return self.parameters.check(args, kwargs)

    def describe(self) -> dict[str, Any]:
        """The entry as Redis and GET /v1/tasks hold it."""
        return self._described() | {"digest": self.digest, "seen_ms": self.seen_ms}

    def _described(self) -> dict[str, Any]:
        named = [asdict(one) for one in self.parameters.named]
        more = {"var_args": self.parameters.var_args, "var_kwargs": self.parameters.var_kwargs}
        return {name: getattr(self, name) for name in POLICY} | {"params": named} | more

    def _digest(self) -> str:
        return sha256(codec.render(self._described())).hexdigest()[:16]

    @classmethod
    def parse(cls, raw: bytes) -> "Entry":
        """Read a published entry; raises Undecodable."""
        try:
            document = codec.decode(raw)
            named = tuple(Parameter(**one) for one in document.pop("params"))
            parameters = Parameters(named, document.pop("var_args"), document.pop("var_kwargs"))
            return cls(parameters=parameters, **document)
        except (BadInput, TypeError, KeyError, AttributeError) as error:
            raise Undecodable("This is not a catalogue entry.") from error


POLICY = (
    *("name", "queue", "timeout_s", "max_attempts", "backoff_s", "backoff_factor", "max_backoff_s", "jitter", "rerun"),
    *("concurrency", "rate_per_s", "limit_by"),
)


def entries_from_hash(raw: Mapping[bytes, bytes]) -> dict[str, Entry]:
    """The catalogue as HGETALL mp:catalogue gives it; an entry that cannot be read is left out: its task is unknown."""
    entries = {}
    for value in raw.values():
        try:
            entry = Entry.parse(value)
        except Undecodable:
            continue
        entries[entry.name] = entry
    return entries


def publish(client: redis.Redis, tasks: Mapping[str, Task]) -> None:
    """Write the entries of `tasks`, seen now; the catalogue's digest changes only if one of them did. Raises redis's errors."""
    if not tasks:
        return
    with client.pipeline(transaction=False) as look:
        look.time()
        look.hmget(keys.CATALOGUE, list(tasks))
        (seconds, microseconds), present = look.execute()
    entries = [Entry.of(task, seconds * 1000 + microseconds // 1000) for task in tasks.values()]
    with client.pipeline(transaction=True) as write:
        write.hset(keys.CATALOGUE, mapping={entry.name: codec.render(entry.describe()) for entry in entries})
        if any(_digest_of(old) != entry.digest for old, entry in zip(present, entries, strict=True)):
            write.incr(keys.CATALOGUE_DIGEST)
        write.execute()


def _digest_of(raw: bytes | None) -> str:
    try:
        return Entry.parse(raw or b"").digest
    except Undecodable:
        return ""
