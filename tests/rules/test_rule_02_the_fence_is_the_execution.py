"""Rule 2. Whatever arrives late or twice, of whatever connection, worker or child: it is compared with the present execution and
generation for equality, so a job has one holder at a time and one outcome an execution."""

from dataclasses import dataclass
from itertools import product

import pytest

from millpond import keys, moves
from tests.millpond.scripts.pond import Pond, outcome
from tests.rules.actors import Actor, Stage

KINDS = ("claim", "compare", "start", "finish", "items", "heartbeat", "register", "hand_back")
EVENTS = ("reconnects", "child dies", "taken back")
AFTER = range(10)  # scripts of anyone that run before the held one


@dataclass
class Scene:
    """Two workers and five jobs; one request of the first worker comes late."""

    stage: Stage
    late: Actor
    other: Actor
    ids: list[str]
    event: str
    away: int = 0  # rounds for which the first worker does nothing

    def play(self) -> None:
        """Until all is done and nothing is on its way; a script at a time, so that every order is met."""
        for _ in range(60):
            self._round()
            if self.stage.settled and not self._open():
                break
        self.stage.end()
        for _ in range(4):
            self._round()

    def happen(self) -> None:
        """What happens while the request is held."""
        if self.event == "child dies":
            self.late.child_dies()
        elif self.event == "taken back":
            self.away, self.late.lost = 3, True
            self.stage.pond.bury("late")
            assert self.stage.pond.run(moves.take_back("late")) == 0

    def _round(self) -> None:
        for actor in (self.other, self.late):
            if actor is self.late and self.away:
                self.away -= 1
                continue
            actor.beat()
            if not actor.debts and actor.generation not in actor.debts:
                actor.turn()
            self._one_holder_each()

    def _one_holder_each(self) -> None:
        runs = [key for actor in (self.late, self.other) if not actor.lost for key in (*actor.running, *actor.ended)]
        assert len({job for job, _ in runs}) == len(runs), f"a job runs twice: {runs}"

    def _open(self) -> bool:
        return any(self.stage.pond.job(id)["state"] not in ("finished", "failed") for id in self.ids)


def scene(pond: Pond, kind: str, event: str, after: int, nth: int = 1) -> Scene:
    pond.client.flushall()
    stage = Stage(pond)
    found = Scene(stage, Actor(stage, "late"), Actor(stage, "other"), pond.submit(5), event)
    if kind != "register":
        found.late.register()
    found.other.register()
    stage.kind, stage.nth, stage.after, stage.meanwhile = f"late {kind}", nth, after, found.happen
    if kind == "items":
        stage.lose = "late claim"
    if kind == "register":
        stage.meanwhile = lambda: None
        found.late.register()
        found.happen()
    if kind == "hand_back":
        found.late.turn()
        found.late.child_dies()
    return found


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_late_request_of_an_old_connection(pond: Pond, kind: str, event: str) -> None:
    for after, nth in product(AFTER, (1, 2) if event == "reconnects" else (1,)):
        played = scene(pond, kind, event, after, nth)
        try:
            played.play()
            check(pond, played)
        except AssertionError as error:
            raise AssertionError(f"{error}\nafter {after}, the {nth}.\n" + "\n".join(played.stage.log)) from None


def check(pond: Pond, played: Scene) -> None:
    for id in played.ids:
        job = pond.job(id)
        assert job["state"] == "finished"
        executions = [name for name in job if name.startswith("o:")]
        assert len(executions) == int(job["attempt"])  # an outcome for each start
    begun = played.late.begun + played.other.begun
    assert set(begun) == set(played.ids)
    if not played.late.deaths:
        assert len(begun) == len(played.ids), "a job was begun twice although nobody died"
    left = [key for key in pond.ask("KEYS", keys.PREFIXES["LEASES"] + "*") if pond.ask("SCARD", key)]
    assert not left, "leases that no process knows"
    assert pond.ask("EXISTS", "rq:wip:default") == 0


def test_the_outcome_of_an_earlier_execution_is_refused(pond: Pond) -> None:
    (id,) = pond.submit()
    one, two = pond.hire("w1"), pond.hire("w2")
    (first,) = one.work()
    pond.bury("w1")
    pond.run(moves.take_back("w1"))
    (second,) = two.work()
    assert one.start(first) == ["no"]
    assert one.finish(outcome(first, body=b'{"result":"late"}')) == ["stale"]
    one.hand_back("items", jobs=[first])
    assert pond.job(id)["state"] == "started"
    assert two.finish(outcome(second)) == ["done"]
    assert "late" not in pond.job(id)["o:1:2"]


def test_a_repeated_hand_back_leaves_the_next_child_alone(pond: Pond) -> None:
    pond.submit()
    old = pond.hire(generation=1)
    old.hand_back("retire", "died")
    new = pond.hire(generation=2)
    (job,) = new.work()
    old.hand_back("retire", "died")
    assert new.held() == {(job.id, job.execution)}
    assert new.try_claim() == "ok"


def test_only_a_listed_worker_s_living_generation_claims(pond: Pond) -> None:
    pond.submit(4)
    child = pond.hire()
    assert pond.run(moves.claim("nobody", 1, 1, ["default"])).answer == "retired"
    assert pond.run(moves.claim("w1", 2, 1, ["default"])).answer == "retired"
    child.hand_back("unmarked")
    assert child.try_claim() == "retired"
    again = pond.hire(generation=2)
    pond.ask("DEL", keys.named("ALIVE", "w1"))
    assert again.try_claim() == "not_alive"


def test_a_take_back_retires_with_the_first_lease_and_unregisters_with_the_last(pond: Pond) -> None:
    pond.submit(4)
    child = pond.hire()
    child.claim(3)
    pond.bury("w1")
    assert pond.run(moves.take_back("w1", 1)) == 2
    assert child.try_claim() == "retired"
    assert pond.ask("HEXISTS", keys.WORKERS, "w1")
    assert pond.run(moves.take_back("w1", 2)) == 0
    assert not pond.ask("HEXISTS", keys.WORKERS, "w1")


def test_a_heartbeat_of_an_unregistered_worker_sets_no_key(pond: Pond) -> None:
    pond.hire().claim()
    pond.bury("w1")
    pond.run(moves.take_back("w1"))
    before = pond.dump()
    assert pond.run(moves.heartbeat("w1")).answer == "unknown"
    assert pond.dump() == before


def test_a_lease_whose_worker_or_generation_is_not_listed_is_taken_back(pond: Pond) -> None:
    ids = pond.submit(2)
    pond.hire("w1").work(1)
    pond.hire("w2").work(1)
    assert {pond.ask("TTL", name) for name in (keys.WORKERS, keys.named("LEASES", "w1:1"), keys.named("LEASES", "w2:1"))} == {-1}
    pond.ask("HDEL", keys.WORKERS, "w1")
    pond.ask("HDEL", keys.named("GENERATIONS", "w2"), "1")
    pond.run(moves.reconcile(0))
    assert sorted(pond.queued()) == ids
