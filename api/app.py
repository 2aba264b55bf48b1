"""The application of one replica: its routes, what its handlers share, and the order in which that starts and stops."""

import asyncio
import itertools
import logging
from weakref import WeakKeyDictionary

from tornado.httputil import HTTPConnection
from tornado.web import Application, RequestHandler

from api import batches, classic, events, files, fleet, health, jobs, stats
from api.batchbook import Book
from api.batchjudge import Judge
from api.batchledger import Ledger
from api.batchupload import Upload
from api.calls import Reads, Writes
from api.connection import Connection
from api.control import Control
from api.handler import Handler, Missing
from api.hot import Entrance
from api.intake import Intake, Settled
from api.limits import Pressure
from api.listing import Listing
from api.lookup import Lookup
from api.plain import Plain
from api.problems import Problem, problem
from api.readiness import Readiness
from api.records import Records
from api.reference import Docs, OpenApi, Reference
from api.server import Limits
from api.stream import Stream, Takes
from api.submitter import Acks, Submitter
from api.tasks import Catalogue
from api.waiters import Waiters
from millpond import logs, metrics
from millpond.errors import MillpondError, Unavailable
from millpond.job import new_id
from millpond.moves import Limits as IntakeLimits
from millpond.settings import ApiSettings

_ID = r"([A-Za-z0-9_-]{1,128})"  # ours, and any that RQ allows (rq 3.0: job.py)
_BATCH = r"([0-9a-f]{24})"
_QUEUE = r"([a-z0-9][a-z0-9_-]{0,63})"

ROUTES: list[tuple[str, type[Handler]]] = [
    (r"/v1/jobs", jobs.Jobs),
    (rf"/v1/jobs/{_ID}", jobs.OneJob),
    (rf"/v1/jobs/{_ID}/events", events.Events),
    (rf"/v1/jobs/{_ID}/cancel", jobs.Cancel),
    (rf"/v1/jobs/{_ID}/retry", jobs.Retry),
    (r"/v1/batches", batches.Batches),
    (rf"/v1/batches/{_BATCH}", batches.OneBatch),
    (rf"/v1/batches/{_BATCH}/lines", batches.Lines),
    (rf"/v1/batches/{_BATCH}/results", batches.Results),
    (rf"/v1/batches/{_BATCH}/cancel", batches.Cancel),
    (r"/v1/tasks", fleet.Tasks),
    (r"/v1/queues", fleet.Queues),
    (rf"/v1/queues/{_QUEUE}/pause", fleet.Pause),
    (rf"/v1/queues/{_QUEUE}/resume", fleet.Resume),
    (r"/v1/workers", fleet.Workers),
    (r"/v1/stats", stats.Stats),
    (r"/livez", health.Livez),
    (r"/readyz", health.Readyz),
    (r"/version", health.Version),
    (r"/metrics", health.Metrics),
    (r"/openapi\.json", OpenApi),
    (r"/docs", Docs),
    (r"/", classic.Root),
    (r"/test", classic.Test),
]


class Api(Application):
    """What the handlers share. Nothing here must outlive the process: any replica can answer for any job."""

    def __init__(self, config: ApiSettings) -> None:
        super().__init__(ROUTES, default_handler_class=Missing)
        self.config = config
        self.limits = Limits(
            body_bytes=config.max_body_bytes,
            body_values=config.max_body_values,
            header_bytes=config.max_header_bytes,
            url_bytes=config.max_url_bytes,
            header_s=config.header_timeout_s,
            body_s=config.body_timeout_s,
            idle_s=config.idle_timeout_s,
            connections=files.room(config.max_connections),
        )
        self.log = logs.get("api")
        self.draining = False
        self.declined: WeakKeyDictionary[Stream, Settled] = WeakKeyDictionary()  # what the hot path leaves, with its answer
        self._replica = new_id()[-12:]
        self._numbers = itertools.count(1)
        self._logs_requests = logging.getLogger("api").isEnabledFor(logging.DEBUG)
        self._gather()

    def _gather(self) -> None:
        config = self.config
        limits = IntakeLimits(config.queue_max_jobs, config.queue_max_bytes, config.owner_max_jobs, config.redis_full_at)
        self.plain = Plain(config.redis_url)
        self.reads = Reads(config.redis_url)
        self.writes = Writes(config.redis_url)
        acks = Acks(config.replicas_ack, config.durability != "none")
        self.submitter = Submitter(config.redis_url, config.idempotency_h, limits, acks)
        self.records = Records(config.database_url)
        self.pressure = Pressure(self.plain, limits)
        self.readiness = Readiness(self.plain, config.durability, config.replicas_ack)
        self.catalogue = Catalogue(self.plain)
        self.reference = Reference(ROUTES, self.catalogue)
        self.intake = Intake(self.readiness, self.catalogue, self.submitter, self.pressure)
        self.lookup = Lookup(self.reads, self.records)
        self.waiters = Waiters(config.redis_url, self._replica, self.lookup)
        self.control = Control(self.writes, self.records)
        self.listing = Listing(self.plain, self.lookup, self.records)
        self.ledger = Ledger(config.redis_url, config.idempotency_h, config.retention_days, acks, self.pressure)
        self.judge = Judge(self.catalogue, config.max_body_bytes, config.max_body_values)
        self.book = Book(self.reads, self.plain, self.records, self.writes)
        self.uploads: set[batches.Batches] = set()

    def enter(self, stream: Stream) -> Takes:
        """Who takes the usual submissions of a connection; called by the server."""
        return Entrance(self, stream).take

    def settled(self, connection: HTTPConnection | None) -> Settled | None:
        """Redis's answer to the request that is here, where the hot path has it already; told once."""
        return self.declined.pop(connection.stream, None) if isinstance(connection, Connection) else None

    async def start(self) -> None:
        """Begin what runs beside the requests. A Redis that is away is waited for there, not here."""
        self.readiness.start()
        self.catalogue.start()
        self.waiters.start()
        self.log.info("api_started", replica=self._replica, port=self.config.port, connections=self.limits.connections)

    def drain(self) -> None:
        """Be not ready, close connections after their answers, let everybody go who waits."""
        self.draining = True
        self.waiters.drain()
        self._endings = [asyncio.get_running_loop().create_task(one.drain()) for one in self.uploads]

    async def begin_upload(self, key: str | None) -> Upload:
        """An upload of the batch of this Idempotency-Key. Raises DurabilityWeak, NoCatalogue, Throttled, NotDone or OutcomeUnknown."""
        if self.draining:
            raise Unavailable("This replica stops.", code="draining")
        self.readiness.demand()
        await self.catalogue.learn(None)
        return Upload(self.ledger, self.judge, await self.ledger.begin(key), self.config.max_body_bytes)

    async def stop(self) -> None:
        """End what `start` began, after the last answer."""
        for part in (self.readiness, self.catalogue, self.waiters, self.submitter, self.ledger, self.reads, self.writes, self.plain):
            await part.close()
        self.records.close()

    def next_request_id(self) -> str:
        """An id for a request that brought none: unique, and cheap to make."""
        return f"{self._replica}-{next(self._numbers)}"

    def refuse(self, error: MillpondError) -> Problem:
        """Answer, and count, what reaches no handler."""
        metrics.ERRORS.labels(error.code).inc()
        return problem(error, self.next_request_id())

    def log_request(self, handler: RequestHandler) -> None:
        """Count an answer; tell of it only where somebody reads debug lines. Called by Tornado after each."""
        assert isinstance(handler, Handler)
        status, seconds = handler.get_status(), handler.request.request_time()
        method = handler.request.method if handler.request.method in handler.SUPPORTED_METHODS else "other"
        metrics.HTTP_REQUESTS.labels(handler.route, method, status).inc()
        metrics.HTTP_SECONDS.labels(handler.route).observe(seconds)
        if handler.code:
            metrics.ERRORS.labels(handler.code).inc()
        if self._logs_requests:
            self._log_answer(handler, seconds)

    def _log_answer(self, handler: Handler, seconds: float) -> None:
        request = handler.request
        fields = {"method": request.method, "path": request.path, "status": handler.get_status(), "code": handler.code}
        self.log.debug("request_answered", **fields, seconds=round(seconds, 6), request_id=handler.request_id)
