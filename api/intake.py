"""The way of a submission through this replica, one step after the other."""

from dataclasses import dataclass, replace
from typing import Any

from api import idempotency, orders
from api.limits import Pressure
from api.readiness import Readiness
from api.submitter import Submitter
from api.tasks import Catalogue
from millpond import metrics
from millpond.errors import Invalid, NotReplicated, Unavailable
from millpond.job import Job
from millpond.moves import Submission, Submitted

OWNER = "public"  # until keys say otherwise


@dataclass(frozen=True, slots=True)
class Receipt:
    """An accepted job. `job` is None where this Idempotency-Key had brought it before: then it may be in any state by now. `left`:
    how many more its owner may have open, None: any number."""

    id: str
    job: Job | None
    left: int | None = None


class Intake:
    """Checks a decoded body, and has it accepted."""

    def __init__(self, readiness: Readiness, catalogue: Catalogue, submitter: Submitter, pressure: Pressure) -> None:
        self._readiness = readiness
        self._catalogue = catalogue
        self._submitter = submitter
        self._pressure = pressure

    async def accept(self, document: Any, key: str | None = None) -> Receipt:
        """Raises Invalid with all faults; DurabilityWeak, NoCatalogue, Throttled or NotDone, where nothing was done; OutcomeUnknown."""
        self._readiness.demand()
        await self._catalogue.learn(orders.named_task(document))
        order = orders.read(document, self._catalogue.find)
        answer = await self._submitter.submit(_keyed(order.submission, key, document))
        metrics.SUBMITTED.labels(answer.answer).inc()
        if answer.answer == "refused":
            raise await self._pressure.refusal(answer.detail, OWNER, order.submission.queue)
        return _receipt(order, answer)


def _keyed(submission: Submission, key: str | None, document: Any) -> Submission:
    if key is None:
        return submission
    digest, body_digest = idempotency.digests(OWNER, key, document)
    return replace(submission, digest=digest, body_digest=body_digest)


def _receipt(order: orders.Order, answer: Submitted) -> Receipt:
    match answer.answer:
        case "accepted":
            return Receipt(answer.id, order.accepted(answer), answer.left)
        case "replayed":
            return Receipt(answer.id, None, answer.left)
        case "mismatch":
            raise Invalid("This Idempotency-Key came with another body before.", code="idempotency_key_reused")
        case "unreplicated":
            raise NotReplicated
    raise Unavailable(f"Redis holds something else under {answer.detail}.", code="broken_key")
