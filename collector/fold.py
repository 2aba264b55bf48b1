"""Many events, one look: what a batch of pointers tells of each job."""

from collections.abc import Iterable
from dataclasses import dataclass

from collector.stream import Pointer


@dataclass(frozen=True, slots=True)
class Told:
    """What events tell of a job: its highest version, 0 if a script could not read one. `corrupt`: that was why."""

    id: str
    version: int
    corrupt: bool = False


def fold(pointers: Iterable[Pointer]) -> list[Told]:
    """One entry for each job. Of versions the highest counts, so the order of events does not matter."""
    told: dict[str, Told] = {}
    for one in pointers:
        before = told.get(one.id)
        if one.id and (before is None or one.version > before.version):
            told[one.id] = Told(one.id, one.version, one.version == 0 and one.kind == "corrupt")
    return list(told.values())
