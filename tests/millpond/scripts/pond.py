"""Short words for the moves, and looks at what they left behind in a real Redis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

import redis
from hypothesis import HealthCheck, settings

from millpond import broker, keys, moves
from millpond.times import from_rq, to_ms

T = TypeVar("T")

# Every run tries the same examples: a red suite must be red again. Redis is shared by the examples, each begins with a flush.
STEADY = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))

_numbers = count(1)


def new_id() -> str:
    """A job id that sorts after all before it."""
    return f"{next(_numbers):032x}"


def submission(id: str = "", *, queue: str = "default", fields: dict[str, moves.Arg] | None = None, **more: Any) -> moves.Submission:
    """A job as the API would submit it; `fields` replace or complete the usual ones."""
    usual: dict[str, moves.Arg] = {"task": "sleep", "owner": "public", "timeout": "60", "timeout_ms": "60000", "description": "sleep(1)"}
    return moves.Submission(id or new_id(), queue, b'["sleep",null,[1],{}]', usual | (fields or {}), **more)


def ms(date: str) -> int:
    """A date of a job's hash, in ms."""
    return to_ms(from_rq(date))


def outcome(job: moves.Claimed, status: str = "finished", **more: Any) -> moves.Outcome:
    """How an execution of `job` ended; `failed` is an exception of the task that counts, unless said otherwise."""
    if status == "failed":
        more = {"code": "task_error", "body": b'{"error":{"code":"task_error"}}', "charged": True} | more
    return moves.Outcome(job.id, job.execution, status, **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Pond:
    """Millpond on a Redis of its own."""

    client: redis.Redis = field(repr=False)

    def run(self, call: moves.Call[T]) -> T:
        return broker.run(self.client, call)

    def ask(self, *words: Any) -> Any:
        """A Redis command's answer."""
        return self.client.execute_command(*words)

    def submit(self, number: int = 1, **options: Any) -> list[str]:
        """Submit that many equal jobs, all of which must be accepted, and answer their ids."""
        answers = self.run(moves.submit([submission(**options) for _ in range(number)], 24))
        assert {answer.answer for answer in answers} == {"accepted"}, answers
        return [answer.id for answer in answers]

    def hire(self, worker: str = "w1", generation: int = 1, queues: Sequence[str] = ("default",)) -> "Child":
        """A registered, living worker's child."""
        assert self.run(moves.register(worker, generation, queues, {"birth": "2026-01-01T00:00:00.000000Z", "state": "idle"})) == "ok"
        return Child(self, worker, generation, queues)

    def bury(self, worker: str) -> None:
        """Make a worker one that the keepers saw not beating on 8 ticks in a row, the last just now."""
        beats = self.ask("HGET", keys.BEATS, worker) or b"0"
        self.ask("HSET", keys.MISSED, worker, beats + b":8")
        self.ask("SET", keys.TICK, self.now())

    def now(self) -> int:
        """Redis's time in ms."""
        seconds, micros = self.ask("TIME")
        return int(seconds) * 1000 + int(micros) // 1000

    def job(self, id: str) -> dict[str, str]:
        """A job's hash."""
        return {name.decode(): value.decode(errors="replace") for name, value in self.ask("HGETALL", keys.job(id)).items()}

    def version(self, id: str) -> int:
        return int(self.job(id)["version"])

    def queued(self, queue: str = "default", place: str = "QUEUE") -> list[str]:
        """The ids in a list, head first."""
        return [id.decode() for id in self.ask("LRANGE", keys.named(place, queue), 0, -1)]

    def open(self) -> set[str]:
        """The open set."""
        return {id.decode() for id in self.ask("SMEMBERS", keys.OPEN)}

    def leases(self, worker: str = "w1", generation: int = 1) -> set[str]:
        """What a generation holds: {job}:{execution}."""
        return {one.decode() for one in self.ask("HKEYS", keys.named("LEASES", f"{worker}:{generation}"))}

    def events(self) -> list[tuple[str, int, str]]:
        """All events so far: job, version, kind."""
        found = []
        for _, entry in self.ask("XRANGE", keys.EVENTS, "-", "+"):
            versions = [int(one) for one in entry[b"v"].split()]
            ids = entry[b"j"].decode().split(" ", len(versions) - 1)
            found += [(id, version, entry[b"k"].decode()) for id, version in zip(ids, versions, strict=True)]
        return found

    def kinds(self, id: str) -> list[str]:
        """The kinds of one job's events, in order."""
        return [kind for job, _, kind in self.events() if job == id]

    def dump(self, *but: str) -> dict[str, Any]:
        """Everything that Redis holds, but the keys named: to see that a move changed nothing."""
        names = sorted(name.decode() for name in self.ask("KEYS", "*"))
        return {name: (self._content(name), self.ask("TTL", name) == -1) for name in names if name not in but}

    def _content(self, name: str) -> Any:
        read = {b"string": ("GET",), b"hash": ("HGETALL",), b"list": ("LRANGE", 0, -1), b"set": ("SMEMBERS",)}
        read |= {b"zset": ("ZRANGE", 0, -1, "WITHSCORES"), b"stream": ("XRANGE", "-", "+")}
        command, *rest = read[self.ask("TYPE", name)]
        return self.ask(command, name, *rest)

    def strange_keys(self) -> list[str]:
        """Keys that millpond.keys does not name."""
        single = {value for name, value in vars(keys).items() if name.isupper() and isinstance(value, str)}
        names = [name.decode() for name in self.ask("KEYS", "*")]
        return [name for name in names if name not in single and not name.startswith(tuple(keys.PREFIXES.values()))]


@dataclass(frozen=True)
class Child:
    """A worker's child as Redis knows it. It follows no rule by itself: the tests say what it sends."""

    pond: Pond
    worker: str
    generation: int
    queues: Sequence[str]

    def claim(self, slots: int = 100, alone: bool = False) -> list[moves.Claimed]:
        """Claim, which must be allowed."""
        claim = self.pond.run(moves.claim(self.worker, self.generation, slots, self.queues, alone))
        assert claim.answer == "ok", claim
        return claim.jobs

    def try_claim(self) -> str:
        """Whether a claim is allowed."""
        return self.pond.run(moves.claim(self.worker, self.generation, 1, self.queues)).answer

    def start(self, *jobs: moves.Claimed) -> list[str]:
        return self.pond.run(moves.start(self.worker, self.generation, [(job.id, job.execution) for job in jobs]))

    def work(self, slots: int = 100, alone: bool = False) -> list[moves.Claimed]:
        """Claim and start."""
        jobs = self.claim(slots, alone)
        assert self.start(*jobs) == ["go"] * len(jobs)
        return jobs

    def finish(self, *outcomes: moves.Outcome) -> list[str]:
        return self.pond.run(moves.finish(self.worker, self.generation, outcomes))

    def end(self, job: moves.Claimed, status: str = "finished", **more: Any) -> str:
        """Finish one execution."""
        return self.finish(outcome(job, status, **more))[0]

    def compare(self) -> moves.Comparison:
        return self.pond.run(moves.compare(self.worker, self.generation, self.queues))

    def hand_back(self, mode: moves.HandBack, cause: Any = "", jobs: Iterable[moves.Claimed] = ()) -> int:
        items = [(job.id, job.execution) for job in jobs]
        return self.pond.run(moves.hand_back(self.worker, self.generation, mode, cause, items))

    def bury(self, *jobs: moves.Claimed, alone: bool = True, how: str = "SIGSEGV") -> int:
        return self.pond.run(moves.bury(self.worker, self.generation, [moves.Death(job.id, job.execution, how, alone) for job in jobs]))

    def held(self) -> set[tuple[str, str]]:
        """The executions that compare names."""
        held = self.compare().held
        assert held is not None
        return set(held)
