"""A pond with jobs in every state, the calls of every move on it, and the way to bring all its jobs to a recorded end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from collector.fold import fold
from collector.look import look
from collector.stream import Pointer
from millpond import keys, moves
from tests.millpond.scripts.pond import Child, Pond, outcome, submission

QUEUES = ("a", "b")

# Puts all jobs so far back that reconcile doubts at once, and makes what is scheduled due.
_AGE = """
for _, key in ipairs(redis.call('KEYS', 'rq:job:*')) do
  local at = redis.pcall('HGET', key, 'enqueued_ms')
  if type(at) == 'string' and tonumber(at) then redis.call('HSET', key, 'enqueued_ms', string.format('%.0f', at - 60000)) end
  if redis.pcall('HEXISTS', key, 'ended_at') == 1 then redis.call('HSET', key, 'ended_at', '2001-01-01T00:00:00.000000Z') end
end
redis.call('DEL', 'mp:resent')
for _, key in ipairs(redis.call('KEYS', 'rq:scheduled:*')) do
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZADD', key, 1, id) end
end
"""

# A village is built once and then copied: database 1 keeps it as it was.
_KEEP = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', 1) end"
_BRING = """
redis.call('FLUSHDB')
redis.call('SELECT', 1)
for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('COPY', key, key, 'DB', 0) end
redis.call('SELECT', 0)
"""


@dataclass
class Village:
    """In each of two queues: three jobs that run, one that is leased, two that wait, one that waits alone, one whose time has come,
    one that ended, one that failed, one that ended and one that failed and are recorded; of a gate one that runs and two that it holds.
    Worker w1 holds, w3 sleeps."""

    pond: Pond
    child: Child
    ids: dict[str, str] = field(default_factory=dict)  # "running.a.0" -> id
    claimed: dict[str, moves.Claimed] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)  # ids that are recorded

    def __getitem__(self, name: str) -> str:
        return self.ids[name]

    def settle(self) -> "Village":
        for queue in QUEUES:
            self._end(queue)
            self._hold(queue)
            self._gate(queue)
            self._name("waiting", queue, self.pond.submit(2, queue=queue))
            self._name("alone", queue, self.pond.submit(queue=queue))
            self._name("due", queue, self.pond.submit(queue=queue, delay_ms=3_600_000))
            self.pond.ask("LREM", keys.queue(queue), 0, self[f"alone.{queue}.0"])
            self.pond.ask("RPUSH", keys.named("ALONE", queue), self[f"alone.{queue}.0"])
            self.pond.ask("HSET", keys.job(self[f"alone.{queue}.0"]), "place", "alone", "deaths", 2)
            self.pond.ask("ZADD", keys.named("SCHEDULED", queue), 1, self[f"due.{queue}.0"])
        self.pond.hire("w3", queues=["c"]).claim()
        for queue in QUEUES:
            self.pond.ask("SADD", keys.named("IDLE", queue), "w3:1")
        return self

    def _name(self, kind: str, queue: str, ids: list[str]) -> None:
        self.ids |= {f"{kind}.{queue}.{number}": id for number, id in enumerate(ids)}

    def _end(self, queue: str) -> None:
        ids = self.pond.submit(4, queue=queue, fields={"max_attempts": 1})
        done, failed, old, kept = Child(self.pond, "w1", 1, [queue]).work()
        self.child.finish(outcome(done), outcome(failed, "failed"), outcome(old), outcome(kept, "failed"))
        for number, kind in enumerate(("ended", "failed", "old", "kept")):
            self._name(kind, queue, ids[number : number + 1])
        gone = ids[2:]
        self.pond.run(moves.recorded([moves.Committed(id, self.pond.version(id), ["o:1:1"]) for id in gone], 0))
        self.ended |= set(gone)

    def _hold(self, queue: str) -> None:
        ids = self.pond.submit(4, queue=queue, fields={"max_attempts": 2})
        jobs = Child(self.pond, "w1", 1, [queue]).claim()
        self.child.start(*jobs[:3])
        self._name("running", queue, ids[:3])
        self._name("leased", queue, ids[3:])
        self.claimed |= {name: job for job in jobs for name, id in self.ids.items() if id == job.id}

    def _gate(self, queue: str) -> None:
        ids = self.pond.submit(3, queue=queue, fields={"gate": f"1 1000 1000 k:{queue}"})
        (job,) = Child(self.pond, "w1", 1, [queue]).work()
        self._name("passed", queue, ids[:1])
        self._name("held", queue, ids[1:])
        self.claimed[f"passed.{queue}.0"] = job

    # -- what became of them ------------------------------------------------------------------------------------------------

    def states(self) -> dict[str, str]:
        """How each job stands, by name: its state and place, or what else is there instead of a hash."""
        return {name: self._state(id) for name, id in self.ids.items()}

    def _state(self, id: str) -> str:
        kind = self.pond.ask("TYPE", keys.job(id))
        if kind != b"hash":
            return str(kind.decode())
        state, place, mark = self.pond.ask("HMGET", keys.job(id), "state", "place", "mark")
        return " ".join((word or b"-").decode() for word in (state, place, mark))

    def lost(self) -> set[str]:
        """Accepted jobs that are neither open nor recorded."""
        known = self.ended | self.pond.open()
        return {name for name, id in self.ids.items() if id not in known}

    def finish_all(self, rounds: int = 8) -> None:
        """Let keepers, another worker and a collector work until every job is recorded, or `rounds` are over."""
        for turn in range(rounds):
            self._keep()
            self._work(self.pond.hire(f"late{turn}", queues=QUEUES))
            self.collect()
            if set(self.ids.values()) <= self.ended:
                return

    def _keep(self) -> None:
        self.pond.ask("EVAL", _AGE, 0)
        for worker in self.pond.ask("HKEYS", keys.WORKERS):
            self.pond.bury(worker.decode())
            self.pond.run(moves.take_back(worker.decode()))
        for queue in QUEUES:
            self.pond.run(moves.resume(queue))
        self.pond.run(moves.promote())
        self.pond.run(moves.reconcile(0, 10_000, 100))

    def _work(self, child: Child) -> None:
        for alone in (False, True):
            jobs = child.claim(1000, alone)
            child.start(*jobs)
            child.finish(*(outcome(job) for job in jobs))

    def collect(self) -> None:
        """What a collector does with all events so far; the commit is a set of ids."""
        pointers = [Pointer(b"", id, version, kind) for id, version, kind in self.pond.events()]
        for view in look(self.pond.client, fold(pointers)):
            closed = self.pond.run(moves.recorded([one.committed for one in view.sights]))
            final = [one.loss is not None or (one.job is not None and one.job.final) for one in view.sights]
            self.ended |= {one.committed.id for one, done, ends in zip(view.sights, closed, final, strict=True) if done and ends}
        self.pond.ask("DEL", keys.EVENTS)


class Villages:
    """Equal villages, one after the other."""

    def __init__(self, pond: Pond) -> None:
        pond.client.flushall()
        self._first = Village(pond, pond.hire(queues=QUEUES)).settle()
        pond.ask("EVAL", _KEEP, 0)

    def next(self) -> Village:
        """A village as the first one was, with living workers."""
        first = self._first
        first.pond.ask("EVAL", _BRING, 0)
        for worker in ("w1", "w3"):
            first.pond.run(moves.heartbeat(worker))
        return Village(first.pond, first.child, dict(first.ids), dict(first.claimed), set(first.ended))


Deed = Callable[[Village], Any]


def _held(village: Village, *names: str) -> list[moves.Held]:
    return [(village.claimed[name].id, village.claimed[name].execution) for name in names]


def _submit(village: Village) -> Any:
    jobs = [job for queue in QUEUES for job in (submission(queue=queue), submission(queue=queue, delay_ms=60_000))]
    jobs.append(submission(queue="b", digest=b"d" * 16, body_digest=b"b" * 16))
    answers = village.pond.run(moves.submit(jobs, 1))
    accepted = [job for job, answer in zip(jobs, answers, strict=True) if answer.answer == "accepted"]
    village.ids |= {f"new.{job.queue}.{at}": job.id for at, job in enumerate(accepted)}
    return answers


_BATCH = "0" * 12 + "8" + "b" * 11


def _append(village: Village) -> Any:
    """A batch with a line for each queue, and one for later."""
    lines = {1: submission(queue="a"), 2: submission(queue="b"), 3: submission(queue="a", delay_ms=60_000)}
    begun = village.pond.run(moves.begin(_BATCH, b"k" * 16, 1, 60))
    accepted = {line: (job, job.data) for line, job in lines.items()}
    appended = village.pond.run(moves.append(_BATCH, moves.Lines(0, 4, b"d", accepted, 1, {4: b"{}"})))
    if appended.answer == "ok":
        village.ids |= {f"new.{job.queue}.{line}": moves.line_id(_BATCH, line) for line, job in lines.items()}
    return begun, appended


def _call_off(village: Village) -> Any:
    _append(village)
    return village.pond.run(moves.call_off(_BATCH, 1))


def _bury(village: Village) -> Any:
    deaths = [moves.Death(id, execution, "SIGABRT", True) for id, execution in _held(village, "running.a.0", "running.b.0")]
    return village.pond.run(moves.bury("w1", 1, deaths))


def _finish(village: Village) -> Any:
    jobs = [village.claimed[f"running.{queue}.{number}"] for queue in QUEUES for number in range(3)]
    jobs += [village.claimed[f"passed.{queue}.0"] for queue in QUEUES]
    endings = [outcome(job, "failed", retry_ms=60_000) if at % 3 == 1 else outcome(job) for at, job in enumerate(jobs)]
    return village.child.finish(*endings)


def _tick(village: Village) -> Any:
    village.pond.client.set(keys.TICK, village.pond.now() - 500, nx=True)
    return village.pond.run(moves.tick())


def _take_back(village: Village) -> Any:
    return village.pond.run(moves.take_back("w1"))


def _recorded(village: Village) -> Any:
    items = [moves.Committed(village[f"{kind}.{queue}.0"], 4, ["o:1:1"]) for kind in ("ended", "failed") for queue in QUEUES]
    answers = village.pond.run(moves.recorded(items, 0))
    village.ended |= {item.id for item, done in zip(items, answers, strict=True) if done}
    return answers


def _report(village: Village) -> Any:
    return village.pond.run(
        moves.report([moves.Report(*held, b"{}", "l:1:1:1", b"[]") for held in _held(village, "running.a.0", "running.b.0")])
    )


def _revive(village: Village) -> Any:
    record = submission(queue="a")
    answer = village.pond.run(moves.retry(record.id, 0, record, 7, 1))
    if answer.answer == "ok":
        village.ids["new.a.0"] = record.id
    return answer


def _retry(village: Village) -> Any:
    answers = [village.pond.run(moves.retry(village[name])) for name in ("kept.a.0", "kept.b.0", "failed.a.0")]
    village.ended -= village.pond.open() if village.pond.ask("TYPE", keys.OPEN) == b"set" else set()
    return answers


def _each(call: Callable[[str], moves.Call[Any]], *kinds: str) -> Deed:
    return lambda village: [village.pond.run(call(village[f"{kind}.{queue}.0"])) for kind in kinds for queue in QUEUES]


def deeds() -> Iterator[tuple[str, Deed]]:
    """Every move, several items in one call where a call takes several."""
    yield "submit", _submit
    yield "begin and append", _append
    yield "survey", lambda village: (_append(village), village.pond.run(moves.survey(_BATCH)))
    yield "call_off", _call_off
    yield "register", lambda village: village.pond.run(moves.register("w1", 2, QUEUES, {"birth": "x"}))
    yield "heartbeat", lambda village: village.pond.run(moves.heartbeat("w1"))
    yield "claim", lambda village: village.pond.run(moves.claim("w1", 1, 100, QUEUES, fair=True))
    yield "claim alone", lambda village: village.pond.run(moves.claim("w1", 1, 100, QUEUES, alone=True))
    yield "start", lambda village: village.pond.run(moves.start("w1", 1, _held(village, "leased.a.0", "leased.b.0", "running.a.0")))
    yield "compare", lambda village: village.pond.run(moves.compare("w1", 1, QUEUES))
    yield "display", lambda village: village.pond.run(moves.display("w1", _held(village, "leased.a.0", "running.a.0", "running.b.0")))
    yield "report", _report
    yield "finish", _finish
    yield (
        "hand_back items",
        lambda village: village.pond.run(
            moves.hand_back("w1", 1, "items", items=_held(village, "leased.a.0", "leased.b.0", "running.b.0", "passed.a.0"))
        ),
    )
    yield "hand_back bury", _bury
    yield "hand_back retire", lambda village: village.pond.run(moves.hand_back("w1", 1, "retire", "died"))
    yield "hand_back unmarked", lambda village: village.pond.run(moves.hand_back("w1", 1, "unmarked"))
    yield "hand_back leave", lambda village: village.pond.run(moves.hand_back("w1", 1, "leave", "stopped"))
    yield "tick", _tick
    yield "take_back", _take_back
    yield "promote", lambda village: village.pond.run(moves.promote())
    yield "set_free", lambda village: village.pond.run(moves.set_free(0))
    yield "reconcile", lambda village: village.pond.run(moves.reconcile(0, 10_000, 100))
    yield "recorded", _recorded
    yield "forget", lambda village: village.pond.run(moves.forget(500, 0))
    yield "cancel", _each(moves.cancel, "waiting", "due", "running", "alone", "held")
    yield "retry", _retry
    yield "retry of a record", _revive
    yield "listen", _each(lambda id: moves.listen(id, "mp:ended:x"), "waiting", "running")
    yield "listen to many", _each(lambda id: moves.listen_all([(id, "watchers"), (id, "waiters")], "mp:told:x"), "waiting", "running")
    yield "glance", _each(lambda id: moves.glance([(id, None), (id, 1)]), "waiting", "running")
    yield "pause", lambda village: village.pond.run(moves.pause("a"))
    yield "resume", lambda village: village.pond.run(moves.resume("a"))


DEEDS = dict(deeds())
