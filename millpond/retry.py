"""How a job's failures are tried again."""

from collections.abc import Mapping
from dataclasses import dataclass

from millpond.fields import Fields
from millpond.moves import Arg


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Fields as in `millpond.task.Task`. The defaults are what a hash without the field means."""

    max_attempts: int = 1
    backoff_s: float = 1.0
    backoff_factor: float = 2.0
    max_backoff_s: float = 300.0
    jitter: float = 0.1

    def delay_s(self, failures: int, chance: float) -> float:
        """Seconds before the next attempt after `failures` (1 or more); `chance`, from 0 to 1, places it within the jitter."""
        try:
            base = min(self.max_backoff_s, self.backoff_s * self.backoff_factor ** (failures - 1))
        except OverflowError:
            base = self.max_backoff_s
        return base * (1 + self.jitter * (2 * chance - 1))

    @classmethod
    def from_hash(cls, hash: Mapping[str, bytes]) -> "RetryPolicy":
        """Read the policy of a job's hash; raises Undecodable."""
        fields = Fields(hash)
        return cls(
            max_attempts=fields.integer("max_attempts", 1),
            backoff_s=fields.seconds("backoff_ms", 1.0),
            backoff_factor=fields.decimal("backoff_factor", 2.0),
            max_backoff_s=fields.seconds("max_backoff_ms", 300.0),
            jitter=fields.decimal("jitter", 0.1),
        )

    def to_fields(self) -> dict[str, Arg]:
        """The hash fields that differ from the defaults: a queued job's memory is counted."""
        fields: dict[str, Arg] = {
            "max_attempts": self.max_attempts,
            "backoff_ms": round(self.backoff_s * 1000),
            "backoff_factor": repr(float(self.backoff_factor)),
            "max_backoff_ms": round(self.max_backoff_s * 1000),
            "jitter": repr(float(self.jitter)),
        }
        return {name: value for name, value in fields.items() if value != _DEFAULT_FIELDS[name]}


_DEFAULT_FIELDS: dict[str, Arg] = {
    "max_attempts": 1,
    "backoff_ms": 1000,
    "backoff_factor": "2.0",
    "max_backoff_ms": 300_000,
    "jitter": "0.1",
}
