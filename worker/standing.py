"""What Redis knows of this worker: its registration, its heartbeats, and the leases of generations that are gone."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

import redis

from millpond import broker, logs, moves
from millpond.errors import NotDone, OutcomeUnknown
from millpond.moves import Arg, Call, HandBack, Outcome

BEAT_S: Final = 0.5
_PAUSE_S: Final = 0.2  # between tries of what Redis did not answer

Cause = Literal["", "died", "stopped"]
T = TypeVar("T")

log = logs.get("worker.standing")


@dataclass(slots=True)
class _Debt:
    """Leases to hand back, and before that `ends` to tell. `answered`: Redis knows at least that the generation claims no more."""

    generation: int
    mode: HandBack
    cause: Cause
    ends: Sequence[Outcome] = ()
    answered: bool = False


class Standing:
    """All calls of the parent. Each waits for Redis at most 1 s, and is made again until it is answered.

    `listed`: registered, as far as known. `reached`: the last call was answered. `alone`: jobs that wait to run alone.
    `lost` is called when a call is not answered after one that was.
    `confirmed_at`: when the last confirmed sign of life was SENT (monotonic).
    """

    def __init__(
        self, client: redis.Redis, worker: str, queues: tuple[str, ...], display: Callable[[], Mapping[str, Arg]], lost: Callable[[], None]
    ) -> None:
        self._client, self._worker, self._queues, self._display, self._lost = client, worker, queues, display, lost
        self._debts: list[_Debt] = []
        self._enlisted = 0
        self._beat_at = self._try_at = 0.0
        self.reached = True
        self.listed = False
        self.alone = 0
        self.confirmed_at = 0.0

    def enlist(self) -> int | None:
        """Register the next generation and answer it; None: Redis did not, call again."""
        if time.monotonic() < self._try_at:
            return None
        generation = self._enlisted + 1
        answer = self._register(generation)
        if answer not in ("ok", "retired"):
            if answer is not None:  # error:KEY, a key of a wrong type
                log.error("register_refused", answer=answer)
                self._try_at = time.monotonic() + BEAT_S
            return None
        self._enlisted = generation
        if answer == "retired":
            return None
        self.listed = True
        return generation

    def beat(self, now: float, live: int | None) -> bool:
        """Send a heartbeat if it is time; False if Redis does not list this worker (any more). `live`: a living generation."""
        if not self.listed or now < max(self._beat_at, self._try_at):
            return True
        self._beat_at = now + BEAT_S
        beat = self._run(moves.heartbeat(self._worker))
        if beat is None:
            return True
        if beat.answer == "unknown":
            self.listed = False
            return False
        self.confirmed_at, self.alone = now, beat.alone
        if beat.answer == "faded" and live is not None:
            self._register(live)
        return True

    def wait_s(self, now: float) -> float:
        """How long nothing need be done here."""
        at = self._try_at if self._debts or not self.listed else max(self._beat_at, self._try_at)
        return min(max(at - now, 0.01), BEAT_S)

    def leave(self) -> None:
        """Hand back all that is left and strike the worker off every list."""
        if self._enlisted:
            self.owe(self._enlisted, "leave", "stopped")

    def owe(self, generation: int, mode: HandBack, cause: Cause, ends: Sequence[Outcome] = ()) -> None:
        """Hand this generation's leases back as soon as Redis answers; but those of `ends` are finished."""
        self._debts.append(_Debt(generation, mode, cause, ends))

    def settle(self, now: float) -> None:
        """Hand back what is owed."""
        if self._debts and now >= self._try_at:
            self._debts = [debt for debt in self._debts if not self._pay(debt)]
            self._try_at = now + _PAUSE_S if self._debts else self._try_at

    @property
    def settled(self) -> bool:
        """Whether nothing is owed."""
        return not self._debts

    @property
    def heard(self) -> bool:
        """Whether Redis knows of all that is owed. What a broken key keeps from being handed back holds up nobody."""
        return all(debt.answered for debt in self._debts)

    def _pay(self, debt: _Debt) -> bool:
        if debt.ends and self._run(moves.finish(self._worker, debt.generation, debt.ends)) is None:
            return False
        debt.ends = ()
        before: int | None = None
        while (left := self._run(moves.hand_back(self._worker, debt.generation, debt.mode, debt.cause))) is not None:
            debt.answered = True
            if left == 0:
                log.info("leases_handed_back", generation=debt.generation, mode=debt.mode, cause=debt.cause)
                return True
            if before is not None and left >= before:
                return False
            before = left
        return False

    def _register(self, generation: int) -> str | None:
        sent_at = time.monotonic()
        answer = self._run(moves.register(self._worker, generation, self._queues, self._display()))
        if answer == "ok":
            self.confirmed_at = sent_at
        return answer

    def _run(self, call: Call[T]) -> T | None:
        """The call's answer, or None: Redis did not give one, and is left alone for a moment."""
        try:
            answer = broker.run(self._client, call)
        except (NotDone, OutcomeUnknown, redis.RedisError) as error:
            if self.reached:
                log.warning("redis_unreachable", move=call.script.name, error=str(error))
                self._lost()
            self.reached = False
            self._try_at = time.monotonic() + _PAUSE_S
            return None
        self.reached = True
        return answer
