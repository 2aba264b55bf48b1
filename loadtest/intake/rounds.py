"""Rounds in turn: every answer's status and every job in Redis is counted.

A round with any answer but 202 counts for nothing: it is said and done again, a few times. An accepted job that is not in Redis
ends the run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import redis

from loadtest.generator import Outcome
from loadtest.intake.contenders import Running
from loadtest.stage import cpu_s, drive

ACCEPTED = 202
_WARM_UP = 0.2  # of a round, not counted
_SPAN = 10_000_000  # request numbers of one round
TRIES = 3


class Unclean(RuntimeError):
    """A server lost or doubled something, or refused again and again, so its figures mean nothing."""


class Refused(RuntimeError):
    """Some answers of a round were no 202."""


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

    @property
    def server_us(self) -> float:
        """Microseconds of the server's CPU for each."""
        return self.server_s / self.answered * 1e6

    @property
    def busy(self) -> float:
        """Share of its core that the server got: below 1 it waited for something, or for somebody else on a shared machine."""
        return self.server_s / self.seconds


class Rounds:
    """Numbers the requests of a run, so that no body comes twice."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._first = 0
        self.refused: list[str] = []  # rounds that were done again, and why

    def closed(self, running: Sequence[Running]) -> dict[str, list[Sample]]:
        """Each contender as fast as it answers, in turn, round after round."""
        for one in running:
            self._clean_round(one, self._plan.seconds * _WARM_UP, 0.0)
        return self._in_turn([(one, 0.0) for one in running])

    def open(self, offered: Sequence[tuple[Running, float]]) -> dict[str, list[Sample]]:
        """Each contender at a fixed number of requests a second."""
        return self._in_turn(offered)

    def _in_turn(self, offered: Sequence[tuple[Running, float]]) -> dict[str, list[Sample]]:
        samples: dict[str, list[Sample]] = {one.contender.name: [] for one, _ in offered}
        for _ in range(self._plan.rounds):
            for one, per_s in offered:
                samples[one.contender.name].append(self._clean_round(one, self._plan.seconds, per_s))
        return samples

    def _clean_round(self, one: Running, seconds: float, per_s: float) -> Sample:
        for _ in range(TRIES):
            try:
                return self._round(one, seconds, per_s)
            except Refused as error:
                self.refused.append(str(error))
        raise Unclean(f"{TRIES} rounds one after the other: {self.refused[-1]}")

    def _round(self, one: Running, seconds: float, per_s: float) -> Sample:
        load = one.load(self._first, self._plan.connections, seconds, per_s)
        self._first += _SPAN
        with one.redis.client() as client:
            client.config_set("appendfsync", one.contender.fsync)
            queued, server_s, redis_s = _marks(one, client)
            outcome = drive(load)
            queued_after, server_s_after, redis_s_after = _marks(one, client)
            client.config_set("appendfsync", "always")
        sample = Sample(
            offered_per_s=per_s,
            answered=outcome.answered,
            queued=None if queued is None or queued_after is None else queued_after - queued,
            seconds=outcome.seconds,
            server_s=server_s_after - server_s,
            redis_s=redis_s_after - redis_s,
            generator_s=outcome.cpu_s,
            answer_bytes=outcome.answer_bytes,
            latencies_s=outcome.latencies_s,
        )
        _demand_clean(one.contender.title, outcome, sample.queued)
        return sample


def _marks(one: Running, client: redis.Redis) -> tuple[int | None, float, float]:
    """What counts on: jobs in Redis, CPU seconds of the server and of Redis."""
    queued = one.contender.queued
    return queued(client) if queued else None, cpu_s(one.server), cpu_s(one.redis.process)


def _demand_clean(title: str, outcome: Outcome, queued: int | None) -> None:
    if set(outcome.statuses) != {ACCEPTED}:
        raise Refused(f"{title}: answers by status {outcome.statuses} (0: none)")
    if queued is not None and queued != outcome.answered:
        raise Unclean(f"{title}: {outcome.answered} answers, but {queued} jobs in Redis")


def ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[float]:
    """Ours to theirs, round by round: what disturbs the machine disturbs both halves of a round."""
    return [a.per_s / b.per_s for a, b in zip(ours, theirs, strict=True)]


def cpu_ratios(ours: Sequence[Sample], theirs: Sequence[Sample]) -> list[float]:
    """How often ours is accepted for the CPU that one of theirs takes: the ratio where the server's core is the limit."""
    return [b.server_us / a.server_us for a, b in zip(ours, theirs, strict=True)]


def latencies(samples: Sequence[Sample]) -> Iterator[float]:
    """All latencies of all rounds, in seconds."""
    for sample in samples:
        yield from sample.latencies_s
