"""What people ask of one job or one queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from millpond.moves.call import Arg, Call, pairs, text
from millpond.moves.intake import Submission
from millpond.scripts import load


@dataclass(frozen=True, slots=True)
class Changed:
    """`answer`: ok | wish (told to the running job) | conflict (state says which) | version (If-Match failed) | gone (no hash)
    | error. `state` and `version` are those after the move (or the present ones where nothing moved)."""

    answer: Literal["ok", "wish", "conflict", "version", "gone", "error"]
    state: str
    version: int


def _changed(raw: Any) -> Changed:
    return Changed(text(raw[0]), text(raw[1]), int(raw[2]))  # type: ignore[arg-type]


def cancel(id: str, version: int = 0) -> Call[Changed]:
    """Cancel at once what waits, leave a wish for what runs. `version` 0: any."""
    return Call(load("cancel"), [id, version], _changed)


def retry(
    id: str, version: int = 0, record: Submission | None = None, record_version: int = 0, record_run: int = 0, record_state: str = "failed"
) -> Call[Changed]:
    """A new run of a job that ended other than finished. With `record`, a forgotten job is made anew from its database row."""
    args: list[Arg] = [id, version]
    if record:
        flat = [item for pair in record.fields.items() for item in pair]
        args += [record_version, record_run, record.queue, record.data, record_state, *flat]
    return Call(load("retry"), args, _changed)


Told = Literal["", "waiters", "watchers"]
Heard = tuple[bool, dict[str, bytes]]  # is it in the open set, its hash or {}


def listen(id: str, channel: str = "") -> Call[Heard]:
    """Read one job. With `channel`, its id will be published there when it ends."""
    many = listen_all([(id, "waiters" if channel else "")], channel)
    return Call(many.script, many.args, lambda raw: many.read(raw)[0])


def listen_all(items: Sequence[tuple[str, Told]], channel: str) -> Call[list[Heard]]:
    """Read many jobs. Per item, `waiters`: its id will be published on `channel` when it ends; `watchers`: at each move that shows."""
    flat = [word for item in items for word in item]
    return Call(load("listen"), [channel, *flat], lambda raw: [(bool(int(open_)), pairs(hash)) for open_, hash in raw])


def glance(items: Sequence[tuple[str, int | None]]) -> Call[list[str]]:
    """The ids of those jobs that ended, are gone, or have another version than the one given (None: only the end counts)."""
    flat: list[Arg] = []
    for id, version in items:
        flat += [id, "" if version is None else version]
    return Call(load("glance"), flat, lambda raw: [text(id) for id in raw])


def pause(queue: str) -> Call[int]:
    """Stop claims from one queue; answers 1 if that changed anything."""
    return Call(load("pause"), [queue], int)


def resume(queue: str) -> Call[int]:
    """Allow claims from one queue again and wake who sleeps on it."""
    return Call(load("resume"), [queue], int)
