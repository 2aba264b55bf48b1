"""/livez, /readyz, /version, /metrics: what machines ask."""

from contextlib import suppress

from api import queues
from api.handler import Handler
from api.plain import number
from api.problems import Refused
from millpond import __version__, keys, metrics
from millpond.errors import NotDone


class Livez(Handler):
    """Whether this process turns. Never asks Redis: a probe that did would kill every replica in an outage of it."""

    route = "/livez"

    def get(self) -> None:
        self.reply({"status": "ok"})


class Readyz(Handler):
    """Whether to send work here."""

    route = "/readyz"

    async def get(self) -> None:
        if self.application.draining:
            raise Refused(503, "draining", "This replica is about to stop.")
        await self.application.readiness.check()
        self.reply({"status": "ready"})


class Version(Handler):
    """Which Millpond this is."""

    route = "/version"

    def get(self) -> None:
        self.reply({"name": "millpond", "version": __version__})


class Metrics(Handler):
    """Prometheus's text format; figures of Redis are as of this scrape, or as of the last one that reached it."""

    route = "/metrics"

    async def get(self) -> None:
        metrics.WAITING.set(self.application.waiters.count(moves=False))
        metrics.STREAMS.set(self.application.waiters.count(moves=True))
        with suppress(NotDone):
            await self._look()
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(metrics.expose("api"))

    async def _look(self) -> None:
        plain = self.application.plain
        open_, workers = await plain.read(lambda pipe: (pipe.scard(keys.OPEN), pipe.hlen(keys.WORKERS)))
        metrics.OPEN.set(number(open_))
        metrics.WORKERS.set(number(workers))
        for queue in await queues.queues(plain):
            metrics.QUEUED.labels(queue.name).set(queue.queued)
            metrics.STARTED.labels(queue.name).set(queue.started)
