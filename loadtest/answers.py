"""How the requests of a burst were answered: how many well, how fast, and why not the others."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from loadtest.journal import Entry
from loadtest.latencies import Latencies

_POINTS = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
_SHOWN_FAILURES = 5


@dataclass(frozen=True, slots=True)
class Answers:
    """`answered`: well or not; the other requests had no answer within their time. `failures`: how often, by status and code.
    `late_s`: how late the latest request was sent. `seconds`: from the burst's beginning to its last answer."""

    requests: int
    answered: int
    succeeded: int
    failures: Mapping[str, int]
    latencies: Latencies
    late_s: float
    seconds: float

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """What a journal says."""
        return cls(
            requests=len(entries),
            answered=sum(entry.status != 0 for entry in entries),
            succeeded=sum(entry.success for entry in entries),
            failures=dict(Counter(f"{entry.status} {entry.error or 'too late'}" for entry in entries if not entry.success).most_common()),
            latencies=Latencies(entry.latency_s for entry in entries),
            late_s=max(entry.late_s for entry in entries),
            seconds=max(entry.answered_s for entry in entries),
        )

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    @property
    def latency_ms(self) -> dict[str, float]:
        """The percentiles that are shown, in milliseconds."""
        return {name: seconds * 1000 for name, seconds in zip(_POINTS, self.latencies.at_each(list(_POINTS.values())), strict=True)}

    def lines(self, asked_per_s: float = 0.0) -> Iterator[str]:
        """The line that the article's script prints, the latencies, in an open loop its rate, and the commonest failures."""
        yield f"{self.succeeded / self.requests * 100}% request success!"
        yield "latency ms: " + " ".join(f"{name} {value:.1f}" for name, value in self.latency_ms.items())
        if asked_per_s:
            yield f"requests/s: asked {asked_per_s:g} answered {self.per_s:.1f}; sent at most {self.late_s * 1000:.1f} ms late"
        yield from (f"failed: {often} x {what}" for what, often in list(self.failures.items())[:_SHOWN_FAILURES])
