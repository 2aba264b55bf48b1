"""All that can happen to jobs, as a Hypothesis state machine over the real scripts, RQ's library and the real collector."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from rq import Queue
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job as RqJob
from rq.job import Retry
from rq.registry import CanceledJobRegistry
from rq.serializers import JSONSerializer

from collector.fold import fold
from collector.look import Sight, look
from collector.pulse import Pulse
from collector.record import record
from collector.recorder import Recorder
from collector.stream import Pointer
from millpond import keys, moves
from millpond.job import Job, to_submission
from millpond.settings import CollectorSettings
from millpond.store import Store
from tests.millpond.scripts.pond import Child, Pond, submission

WORKERS = ("w1", "w2")
ENDINGS = ("finished", "failed", "failed and again", "canceled", "stopped")
GATES = ("1 0 0 one", "2 0 0 two", "2 1000 1 two")  # the last has a rate as well, which no example reaches
OF_GATES = (b"mp:held:", b"mp:run:", b"mp:turns", b"mp:opens", b"mp:aside:")
AT_ONCE = {b"one": 1, b"two": 2}
NO_SUCH = (NoSuchJobError, InvalidJobOperation)

# Puts all jobs so far back that reconcile doubts at once, and makes what is scheduled due.
AGE = """
for _, key in ipairs(redis.call('KEYS', 'rq:job:*')) do
  local at = redis.call('HGET', key, 'enqueued_ms')
  if at then redis.call('HSET', key, 'enqueued_ms', string.format('%.0f', at - 60000)) end
  if redis.call('HEXISTS', key, 'ended_at') == 1 then redis.call('HSET', key, 'ended_at', '2001-01-01T00:00:00.000000Z') end
end
redis.call('DEL', 'mp:resent')
for _, key in ipairs(redis.call('KEYS', 'rq:scheduled:*')) do
  for _, id in ipairs(redis.call('ZRANGE', key, 0, -1)) do redis.call('ZADD', key, 1, id) end
end
"""


@dataclass
class Hand:
    """A collector between two of its steps."""

    pointers: list[Pointer] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    step: int = 0  # 0 reads, 1 looks, 2 commits, 3 settles and acknowledges


@dataclass
class Staff:
    """A worker: its child, and what that knows of each execution."""

    child: Child
    waiting: dict[str, moves.Claimed] = field(default_factory=dict)
    running: dict[str, moves.Claimed] = field(default_factory=dict)

    def dies(self) -> None:
        self.waiting.clear()
        self.running.clear()


class Everything(RuleBasedStateMachine):
    """Rules in any order; then all goes on undisturbed, and every job must come to its one recorded end."""

    def __init__(self, pond: Pond, store: Store) -> None:
        super().__init__()
        self.pond, self.store = pond, store
        pond.client.flushall()
        self.accepted: list[str] = []
        self.staff: dict[str, Staff] = {}
        self.hands = [Hand(), Hand()]
        self.unread: list[Pointer] = []
        self.started: set[tuple[str, int, int]] = set()  # job, run, attempt
        self.deleted: set[str] = set()
        self.stock: set[str] = set()
        self.seen_by_rq: list[RqJob] = []
        self.recorder = Recorder(CollectorSettings(), pond.client, store, Pulse(""))
        self.queue = Queue("default", connection=pond.client, serializer=JSONSerializer)

    @initialize()
    def begin(self) -> None:
        for name in WORKERS:
            self.staff[name] = Staff(self.pond.hire(name))

    def _some(self, data: Any, ids: list[str] | None = None) -> str:
        chosen: str = data.draw(st.sampled_from(self.accepted if ids is None else ids))
        return chosen

    # -- clients ------------------------------------------------------------------------------------------------------------

    @rule(
        number=st.integers(1, 3),
        delayed=st.booleans(),
        never=st.booleans(),
        attempts=st.integers(1, 3),
        gate=st.sampled_from(["", *GATES]),
    )
    def submit(self, number: int, delayed: bool, never: bool, attempts: int, gate: str) -> None:
        fields: dict[str, moves.Arg] = {"max_attempts": attempts, "rerun": "never" if never else "always"}
        if gate:
            fields["gate"] = gate
        jobs = [submission(fields=fields, delay_ms=60_000 if delayed else 0) for _ in range(number)]
        assert {one.answer for one in self.pond.run(moves.submit(jobs, 24))} == {"accepted"}
        self.accepted += [job.id for job in jobs]

    @rule(retries=st.booleans())
    def stock_rq_enqueues(self, retries: bool) -> None:
        job = self.queue.enqueue("sleep", 1, retry=Retry(2) if retries else None)
        self.accepted.append(job.id)
        self.stock.add(job.id)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        self.pond.run(moves.cancel(self._some(data)))

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def retry(self, data: Any) -> None:
        """As the API does: from the hash, or where that is gone from the record."""
        id = self._some(data)
        if self.pond.run(moves.retry(id)).answer == "gone" and (row := self.store.get(id)) and row.final and row.status != "finished":
            with suppress(Exception):  # nothing readable to run again
                again = to_submission(row)
                if self.pond.run(moves.retry(id, 0, again, row.version, row.run)).answer == "ok":
                    self.deleted.add(id)  # what its earlier runs left in the hash is not asked for

    # -- RQ's tools ---------------------------------------------------------------------------------------------------------

    def _rq_job(self, id: str) -> RqJob:
        return RqJob.fetch(id, connection=self.pond.client, serializer=JSONSerializer)

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def rq_looks(self, data: Any) -> None:
        """What a tool has read may be old when it acts."""
        with suppress(*NO_SUCH):
            self.seen_by_rq.append(self._rq_job(self._some(data)))

    def _rq_sees(self, data: Any) -> RqJob:
        if self.seen_by_rq and data.draw(st.booleans()):
            return self.seen_by_rq.pop()
        return self._rq_job(self._some(data))

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def rq_cancels(self, data: Any) -> None:
        with suppress(*NO_SUCH):
            job = self._rq_sees(data)
            if self.pond.ask("EXISTS", job.key):  # RQ would make a hash of the status alone
                job.cancel()

    @precondition(lambda self: self.accepted)
    @rule(data=st.data(), canceled=st.booleans())
    def rq_requeues(self, data: Any, canceled: bool) -> None:
        with suppress(*NO_SUCH):
            job = self._rq_sees(data)
            if canceled:
                CanceledJobRegistry("default", connection=self.pond.client, serializer=JSONSerializer).requeue(job)
            else:
                job.requeue()

    @precondition(lambda self: self.accepted)
    @rule(data=st.data())
    def rq_deletes(self, data: Any) -> None:
        with suppress(*NO_SUCH):
            job = self._rq_sees(data)
            job.delete()
            self.deleted.add(job.id)

    @rule()
    def rq_empties_the_queue(self) -> None:
        self.deleted |= set(self.pond.queued())
        self.queue.empty()  # type: ignore[no-untyped-call]

    @rule()
    def rq_deletes_the_queue(self) -> None:
        self.deleted |= set(self.pond.queued())
        self.queue.delete()

    # -- workers ------------------------------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(WORKERS), slots=st.integers(1, 4), alone=st.booleans())
    def claim(self, name: str, slots: int, alone: bool) -> None:
        staff = self.staff[name]
        self.pond.run(moves.heartbeat(name))
        staff.waiting |= {job.execution: job for job in staff.child.claim(slots, alone)}

    @rule(name=st.sampled_from(WORKERS), data=st.data())
    def start(self, name: str, data: Any) -> None:
        staff = self.staff[name]
        for execution in data.draw(st.sets(st.sampled_from(sorted(staff.waiting))) if staff.waiting else st.just(set())):
            self._start(staff, staff.waiting.pop(execution))

    def _start(self, staff: Staff, job: moves.Claimed) -> None:
        if staff.child.start(job) == ["go"]:
            others = [one.id for other in self.staff.values() for one in other.running.values()]
            assert job.id not in others, "a job is begun while its holder lives"
            staff.running[job.execution] = job
            self._within_limits()
            self.started.add((job.id, job.number("run", 1), job.number("attempt") + 1))

    def _within_limits(self) -> None:
        """Of jobs with one gate, so many run at once as it allows."""
        gates = [job.hash.get("gate", b"").rpartition(b" ")[2] for staff in self.staff.values() for job in staff.running.values()]
        assert all(gates.count(key) <= most for key, most in AT_ONCE.items()), gates

    @rule(name=st.sampled_from(WORKERS), ending=st.sampled_from(ENDINGS), data=st.data())
    def finish(self, name: str, ending: str, data: Any) -> None:
        staff = self.staff[name]
        for execution in data.draw(st.sets(st.sampled_from(sorted(staff.running))) if staff.running else st.just(set())):
            job = staff.running.pop(execution)
            status, *again = ending.split(" and ")
            staff.child.end(job, status, retry_ms=0 if again else -1)

    @rule(name=st.sampled_from(WORKERS))
    def compare(self, name: str) -> None:
        """And hand back what the child does not know, stop what it does not hold."""
        staff = self.staff[name]
        seen = staff.child.compare().held or {}
        known = staff.waiting | staff.running
        unknown = [moves.Claimed(id, execution, {}) for id, execution in seen if execution not in known]
        staff.child.hand_back("items", jobs=unknown)
        for group in (staff.waiting, staff.running):
            for execution in [one for one, job in group.items() if (job.id, one) not in seen]:
                del group[execution]

    @rule(name=st.sampled_from(WORKERS), stopped=st.booleans())
    def child_dies(self, name: str, stopped: bool) -> None:
        staff = self.staff[name]
        staff.dies()
        staff.child.hand_back("retire", "stopped" if stopped else "died")
        staff.child = self.pond.hire(name, staff.child.generation + 1)

    @rule(name=st.sampled_from(WORKERS))
    def worker_dies(self, name: str) -> None:
        staff = self.staff[name]
        staff.dies()
        self.pond.bury(name)
        assert self.pond.run(moves.take_back(name)) == 0
        staff.child = self.pond.hire(name, staff.child.generation + 1)

    # -- keepers ------------------------------------------------------------------------------------------------------------

    @rule()
    def keep(self) -> None:
        self.pond.ask("EVAL", AGE, 0)
        self.pond.run(moves.promote())
        self.pond.run(moves.reconcile(0, 1000, 100))

    @rule()
    def forget(self) -> None:
        for id in self.pond.ask("ZRANGE", keys.FORGET, 0, -1):
            self.pond.ask("ZADD", keys.FORGET, 1, id)
        self.pond.run(moves.forget(500, 0))

    # -- collectors ---------------------------------------------------------------------------------------------------------

    @rule(number=st.integers(0, 1))
    def collector_goes_on(self, number: int) -> None:
        self._step(self.hands[number])

    @rule(number=st.integers(0, 1))
    def collector_dies(self, number: int) -> None:
        """What it had read is delivered again."""
        self.unread += self.hands[number].pointers
        self.hands[number] = Hand()

    def _step(self, hand: Hand) -> None:
        steps: list[Callable[[Hand], None]] = [self._read, self._look, self._commit, self._settle]
        steps[hand.step](hand)
        hand.step = (hand.step + 1) % 4 if hand.pointers else 0

    def _read(self, hand: Hand) -> None:
        self.unread += [Pointer(b"", id, version, kind) for id, version, kind in self.pond.events()]
        self.pond.ask("XTRIM", keys.EVENTS, "MAXLEN", 0)
        hand.pointers, self.unread = self.unread, []

    def _look(self, hand: Hand) -> None:
        hand.sights = [sight for view in look(self.pond.client, fold(hand.pointers)) for sight in view.sights]

    def _commit(self, hand: Hand) -> None:
        hand.sights = record(self.store, hand.sights)

    def _settle(self, hand: Hand) -> None:
        self.unread += [Pointer(b"", one.id, one.version, "late") for one in self.recorder._settle(hand.sights)]
        hand.pointers = []

    # -- what must hold -----------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        self._go_on()
        assert self.pond.strange_keys() == []
        lost = self.pond.open()
        assert not lost, f"open for ever: {[(id, self.pond.job(id)) for id in lost]}"
        for key in self.pond.ask("KEYS", "*"):
            if key.startswith((b"rq:queue:", b"rq:wip:", b"rq:scheduled:", b"mp:leases:", b"mp:alone:", *OF_GATES)):
                raise AssertionError(f"{key} is not empty")
        for id in self.accepted:
            self._check(id)

    def _go_on(self) -> None:
        """Undisturbed: keepers keep, workers work, collectors collect."""
        for _ in range(12):
            for name, staff in self.staff.items():
                self.compare(name)
                for job in list(staff.waiting.values()):
                    self._start(staff, staff.waiting.pop(job.execution))
                for job in list(staff.running.values()):
                    staff.child.end(staff.running.pop(job.execution))
                self.pond.run(moves.heartbeat(name))
                for alone in (False, True):
                    staff.waiting |= {job.execution: job for job in staff.child.claim(100, alone)}
            self.keep()
            for hand in self.hands:
                for _ in range(5):
                    self._step(hand)
            if not self.pond.open() and not self.pond.ask("KEYS", "mp:leases:*"):
                return

    def _check(self, id: str) -> None:
        row = self.store.get(id)
        hash = {name.decode(): value for name, value in self.pond.ask("HGETALL", keys.job(id)).items()}
        if not row:
            # Canceled or deleted by a tool before any script of ours touched it: it was never ours.
            assert id in self.stock, id
            assert "state" not in hash, hash
            return
        assert row.final, row
        if id in self.deleted:
            return
        attempts = {(id, one.run, one.attempt) for one in self.store.attempts(id)}
        assert {one for one in self.started if one[0] == id} <= attempts, f"a start without a row: {id}"
        if hash:
            live = Job.from_hash(id, hash)
            assert (row.status, row.version, row.run) == (live.status, live.version, live.run)
        last = [one for one in self.store.attempts(id) if one.run == row.run]
        if last and row.status in ("finished", "failed") and row.error_code not in ("interrupted", "crashed"):
            assert row.status == last[-1].status
