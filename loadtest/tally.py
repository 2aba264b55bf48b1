"""Counting: what the journal holds against what the product has recorded."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from loadtest.journal import Entry
from loadtest.latencies import Latencies


@dataclass(frozen=True, slots=True)
class Record:
    """A job as GET /v1/jobs shows it from the database. `n`: the number its request gave it."""

    id: str
    n: int
    ended_at: datetime | None
    recorded_at: datetime | None

    @property
    def final(self) -> bool:
        """Whether its end is on record."""
        return self.ended_at is not None and self.recorded_at is not None


@dataclass(frozen=True, slots=True)
class Tally:
    """`lost`: accepted, and no end on record. `duplicate`: jobs on record beyond one for each request."""

    requests: int
    succeeded: int
    accepted: int
    recorded: int
    duplicate: int
    lags_s: Sequence[float]  # recorded_at - ended_at

    @property
    def lost(self) -> int:
        return self.accepted - self.recorded

    @property
    def lag_s(self) -> dict[str, float]:
        """How long after its end a job was on record, in seconds; NaN of none."""
        p50, p99 = Latencies(self.lags_s).at_each([50, 99])
        return {"p50": p50, "p99": p99}

    @property
    def good(self) -> bool:
        """Whether every request succeeded and is recorded once."""
        return self.succeeded == self.requests and self.lost == 0 and self.duplicate == 0

    def lines(self) -> list[str]:
        """What became of the requests."""
        return [
            f"accepted {self.accepted} recorded {self.recorded} lost {self.lost} duplicate {self.duplicate}",
            "recorded_at - ended_at s: " + " ".join(f"{name} {seconds:.3f}" for name, seconds in self.lag_s.items()),
        ]


def count(entries: Sequence[Entry], records: Iterable[Record]) -> Tally:
    """Compare the two sides by the requests' numbers, and by id where the answer named one."""
    records = list(records)
    final = {(record.n, record.id) for record in records if record.final}
    numbers = {n for n, _ in final}
    accepted = [entry for entry in entries if 200 <= entry.status < 300]
    recorded = [entry for entry in accepted if ((entry.n, entry.id) in final if entry.id else entry.n in numbers)]
    times = Counter(record.n for record in records)
    return Tally(
        requests=len(entries),
        succeeded=sum(entry.success for entry in entries),
        accepted=len(accepted),
        recorded=len(recorded),
        duplicate=sum(times.values()) - len(times),
        lags_s=[(record.recorded_at - record.ended_at).total_seconds() for record in records if record.recorded_at and record.ended_at],
    )
