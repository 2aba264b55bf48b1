"""The way of a submission through this replica, one step after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from api import idempotency, orders
from api.limits import Pressure
from api.readiness import Readiness
from api.submitter import Submitter
from api.tasks import Catalogue
from millpond import codec, metrics
from millpond.errors import Invalid, NotReplicated, Unavailable
from millpond.job import Job
from millpond.moves import Submission, Submitted

OWNER = "public"  # until keys say otherwise

Settled = Submitted | Exception
_SHORT = 1024  # bytes of a body that jsonschema checks in some 10 ms


@dataclass(frozen=True, slots=True)
class Receipt:
    """An accepted job. `job` is None where this Idempotency-Key had brought it before: then it may be in any state by now. `left`:
    how many more its owner may have open, None: any number. `told`: its end will be told on the channel that was asked for."""

    id: str
    job: Job | None
    left: int | None = None
    told: bool = False


class Intake:
    """Checks a decoded body, and has it accepted."""

    def __init__(self, readiness: Readiness, catalogue: Catalogue, submitter: Submitter, pressure: Pressure) -> None:
        self._readiness = readiness
        self._catalogue = catalogue
        self._submitter = submitter
        self._pressure = pressure
        self._beside = ThreadPoolExecutor(1, "check")  # one, so that the loop always has half of the interpreter

    async def accept(self, document: Any, key: str | None = None, settled: Settled | None = None, channel: str = "") -> Receipt:
        """Have a decoded body accepted; `settled` is Redis's answer where it was sent before. `channel`: where a new job's end is to be
        told. Raises Invalid with all faults; DurabilityWeak, NoCatalogue, Throttled or NotDone, where nothing was done; OutcomeUnknown."""
        if isinstance(settled, Exception):
            raise settled
        self._readiness.demand()
        await self._catalogue.learn(orders.named_task(document))
        if self.takes_long(document):
            order = await asyncio.get_running_loop().run_in_executor(self._beside, self.order, document, key)
        else:
            order = self.order(document, key)
        answer = settled or await self._submitter.submit(_to_be_told(order.submission, channel))
        metrics.SUBMITTED.labels(answer.answer).inc()
        if answer.answer == "refused":
            raise await self._pressure.refusal(answer.detail, OWNER, order.submission.queue)
        return _receipt(order, answer, told=bool(channel) and settled is None)

    def takes_long(self, document: Any) -> bool:
        """Whether the loop should not check this body itself: it is not short, and its task's schema is one for jsonschema."""
        offer = self._catalogue.find(orders.named_task(document) or "")
        return offer is not None and not offer.entry.parameters.exact and len(codec.render(document)) > _SHORT

    def order(self, document: Any, key: str | None = None) -> orders.Order:
        """What is to be sent to Redis for it. Raises Invalid with all faults, also for a task that is only not known yet;
        DurabilityWeak."""
        self._readiness.demand()
        order = orders.read(document, self._catalogue.find)
        if key is None:
            return order
        digest, body_digest = idempotency.digests(OWNER, key, document)
        return replace(order, submission=replace(order.submission, digest=digest, body_digest=body_digest))

    def send(self, order: orders.Order, done: Callable[[Settled], None]) -> None:
        """Submit it without waiting; `done` hears the answer, NotDone or OutcomeUnknown. Raises NotDone where too much waits."""
        self._submitter.send(order.submission, done)


def _to_be_told(submission: Submission, channel: str) -> Submission:
    """With a waiter from its first moment on: there is nothing to look for between its beginning and the waiting (rule 14)."""
    return replace(submission, fields={**submission.fields, "waiters": channel}) if channel else submission


def _receipt(order: orders.Order, answer: Submitted, told: bool) -> Receipt:
    match answer.answer:
        case "accepted":
            return Receipt(answer.id, order.accepted(answer), answer.left, told)
        case "replayed":
            return Receipt(answer.id, None, answer.left)
        case "mismatch":
            raise Invalid("This Idempotency-Key came with another body before.", code="idempotency_key_reused")
        case "unreplicated":
            raise NotReplicated
    raise Unavailable(f"Redis holds something else under {answer.detail}.", code="broken_key")
