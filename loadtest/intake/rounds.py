"""Rounds in turn: every answer's status and every job in Redis is counted, and a round that is not clean ends the run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loadtest.generator import Outcome
from loadtest.intake.contenders import Running
from loadtest.stage import cpu_s, drive

ACCEPTED = 202
_WARM_UP = 0.2  # of a round, not counted
_SPAN = 10_000_000  # request numbers of one round


class Unclean(RuntimeError):
    """A server refused, lost or doubled something, so its figures mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long and how often. Seconds are of one contender in one round."""

    rounds: int = 5
    seconds: float = 3.0
    connections: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One round of one contender. `server_s` and `redis_s`: CPU seconds that its processes took; `generator_s`: the load's own,
    which shares a core with Redis."""

    offered_per_s: float  # 0: a closed loop
    answered: int
    queued: int | None
    seconds: float
    server_s: float
    redis_s: float
    generator_s: float
    answer_bytes: int
    latencies_s: list[float] = field(repr=False)

    @property
    def per_s(self) -> float:
        """Accepted a second."""
        return self.answered / self.seconds


class Rounds:
    """Numbers the requests of a run, so that no body comes twice."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._first = 0

    def closed(self, running: Sequence[Running]) -> dict[str, list[Sample]]:
        """Each contender as fast as it answers, in turn, round after round."""
        for one in running:
            self._round(one, self._plan.seconds * _WARM_UP, 0.0)
        return self._in_turn([(one, 0.0) for one in running])

    def open(self, offered: Sequence[tuple[Running, float]]) -> dict[str, list[Sample]]:
        """Each contender at a fixed number of requests a second."""
        return self._in_turn(offered)

    def _in_turn(self, offered: Sequence[tuple[Running, float]]) -> dict[str, list[Sample]]:
        samples: dict[str, list[Sample]] = {one.contender.name: [] for one, _ in offered}
        for _ in range(self._plan.rounds):
            for one, per_s in offered:
                samples[one.contender.name].append(self._round(one, self._plan.seconds, per_s))
        return samples

    def _round(self, one: Running, seconds: float, per_s: float) -> Sample:
        contender = one.contender
        load = one.load(self._first, self._plan.connections, seconds, per_s)
        self._first += _SPAN
        with one.redis.client() as client:
            client.config_set("appendfsync", contender.fsync)
            queued = -contender.queued(client) if contender.queued else None
            server_s, redis_s = cpu_s(one.server), cpu_s(one.redis.process)
            outcome = drive(load)
            server_s, redis_s = cpu_s(one.server) - server_s, cpu_s(one.redis.process) - redis_s
            if contender.queued and queued is not None:
                queued += contender.queued(client)
            client.config_set("appendfsync", "always")
        _demand_clean(contender.title, outcome, queued)
        return Sample(
            offered_per_s=per_s,
            answered=outcome.answered,
            queued=queued,
            seconds=outcome.seconds,
            server_s=server_s,
            redis_s=redis_s,
            generator_s=outcome.cpu_s,
            answer_bytes=outcome.answer_bytes,
            latencies_s=outcome.latencies_s,
        )


def _demand_clean(title: str, outcome: Outcome, queued: int | None) -> None:
    if set(outcome.statuses) != {ACCEPTED}:
        raise Unclean(f"{title}: answers by status {outcome.statuses} (0: none)")
    if queued is not None and queued != outcome.answered:
        raise Unclean(f"{title}: {outcome.answered} answers, but {queued} jobs in Redis")


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[float]:
    """Ours to theirs, round by round: what disturbs the machine disturbs both halves of a round."""
    return [a.per_s / b.per_s for a, b in zip(ours, theirs, strict=True)]


def latencies(samples: Sequence[Sample]) -> Iterator[float]:
    """All latencies of all rounds, in seconds."""
    for sample in samples:
        yield from sample.latencies_s
