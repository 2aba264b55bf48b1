"""A worker as rule 4 has it, one request at a time, so that a test can hold any of them back and let it go later.

`Stage` carries the requests: in the order in which they are sent, or, for the one that is held, when the test says so. A request
whose answer does not come is what a time-out is: its sender makes a new connection, compares, and says again what is unanswered.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from millpond import moves
from tests.millpond.scripts.pond import Pond, outcome


class NoAnswer(Exception):
    """The request was held back; whoever sent it gives its connection up."""


@dataclass
class Stage:
    """Holds the `nth` request of one kind, and runs it after `after` more requests of anyone."""

    pond: Pond
    kind: str = ""  # "{actor} {request}"
    nth: int = 1
    after: int = 0
    lose: str = ""  # as `kind`: the first such request is run, and its answer lost
    meanwhile: Callable[[], None] = lambda: None  # what happens while it is held
    held: moves.Call[Any] | None = None
    done: int = 0  # requests run since it was held
    log: list[str] = field(default_factory=list)

    def send(self, who: str, kind: str, call: moves.Call[Any]) -> Any:
        """Run a request and answer; raises NoAnswer for the one that is held."""
        self._release(self.done >= self.after)
        if f"{who} {kind}" == self.kind:
            self.nth -= 1
            if self.nth == 0:
                self.held = call
                self.log.append(f"{who} {kind} HELD")
                self.meanwhile()
                raise NoAnswer
        answer = self.pond.run(call)
        self.done += self.held is not None
        self.log.append(f"{who} {kind} -> {answer}")
        if f"{who} {kind}" == self.lose:
            self.lose = ""
            raise NoAnswer
        return answer

    @property
    def settled(self) -> bool:
        """Whether nothing is held, nor will be."""
        return self.held is None and not self.kind

    def end(self) -> None:
        """Release whatever is still held."""
        self._release(True)

    def _release(self, now: bool) -> None:
        if self.held and now:
            call, self.held, self.kind = self.held, None, ""
            self.log.append(f"LATE {call.script.name} -> {self.pond.run(call)}")


@dataclass
class Actor:
    """Parent and child of one worker. A function takes two turns. `lost`: it was taken for dead, and does not know yet."""

    stage: Stage
    name: str
    slots: int = 2
    generation: int = 0
    known: dict[moves.Held, moves.Claimed] = field(default_factory=dict)
    waiting: set[moves.Held] = field(default_factory=set)  # claimed, not begun
    running: dict[moves.Held, int] = field(default_factory=dict)  # turns that its function has had
    ended: set[moves.Held] = field(default_factory=set)  # its finish is not answered
    strangers: list[moves.Held] = field(default_factory=list)
    debts: list[int] = field(default_factory=list)  # generations to hand back
    lost: bool = False
    deaths: int = 0
    begun: list[str] = field(default_factory=list)  # jobs, each time a function was called

    # -- the parent ---------------------------------------------------------------------------------------------------------

    def register(self) -> None:
        """A new child, under the next generation."""
        while True:
            generation = self.generation + 1
            if (answer := self._say("register", moves.register(self.name, generation, ["default"], {"birth": "x"}))) is None:
                continue
            self.generation = generation
            if answer == "ok":
                return

    def beat(self) -> None:
        beat = self._say("heartbeat", moves.heartbeat(self.name))
        if beat and beat.answer == "unknown":
            self.child_dies()
            self.register()
        while self.debts:
            if self._say("hand_back", moves.hand_back(self.name, self.debts[0], "retire", "died")) == 0:
                self.debts.pop(0)

    def child_dies(self) -> None:
        """And all that it ran with it."""
        self.debts.append(self.generation)
        for group in (self.known, self.waiting, self.running, self.ended, self.strangers):
            group.clear()
        self.lost = False
        self.deaths += 1

    # -- the child ----------------------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """One turn of the child's loop; a request without an answer ends it."""
        try:
            self._compare()
            self._hand_back()
            self._claim()
            self._begin()
            self._finish()
        except NoAnswer:
            pass

    def _compare(self) -> None:
        seen = self.stage.send(self.name, "compare", moves.compare(self.name, self.generation, ["default"]))
        self.strangers = [key for key in seen.held if key not in self.known]
        for key in [key for key in self.known if key not in seen.held]:
            self._drop(key)
        if not seen.live and not self.known and not self.strangers:
            self.child_dies()
            self.register()

    def _drop(self, key: moves.Held) -> None:
        self.known.pop(key, None)
        self.running.pop(key, None)
        self.waiting.discard(key)
        self.ended.discard(key)

    def _hand_back(self) -> None:
        if self.strangers:
            self.stage.send(self.name, "items", moves.hand_back(self.name, self.generation, "items", items=self.strangers))
            self.strangers = []

    def _claim(self) -> None:
        if free := self.slots - len(self.known):
            claim = self.stage.send(self.name, "claim", moves.claim(self.name, self.generation, free, ["default"]))
            for job in claim.jobs:
                self.known[job.id, job.execution] = job
                self.waiting.add((job.id, job.execution))

    def _begin(self) -> None:
        """The mark is on its way when the function begins, whether it is answered or not."""
        marked = sorted(self.waiting | set(self.running))
        if not marked:
            return
        for key in sorted(self.waiting):
            self.begun.append(key[0])
            self.running[key] = 0
        self.waiting.clear()
        answers = self.stage.send(self.name, "start", moves.start(self.name, self.generation, marked))
        for key, answer in zip(marked, answers, strict=True):
            if answer != "go":
                self._drop(key)

    def _finish(self) -> None:
        for key in list(self.running):
            self.running[key] += 1
            if self.running[key] > 2:
                del self.running[key]
                self.ended.add(key)
        if not self.ended:
            return
        keys = sorted(self.ended)
        answers = self.stage.send(self.name, "finish", moves.finish(self.name, self.generation, [outcome(self.known[key]) for key in keys]))
        for key, answer in zip(keys, answers, strict=True):
            if not answer.startswith("error"):
                self._drop(key)

    def _say(self, kind: str, call: moves.Call[Any]) -> Any:
        """The parent says everything again until it is answered."""
        try:
            return self.stage.send(self.name, kind, call)
        except NoAnswer:
            return None
