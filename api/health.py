"""/livez, /readyz, /version, /metrics: what machines ask."""

from contextlib import suppress
from typing import ClassVar

from api import figures
from api.described import TEXT, Answer, Call, record
from api.handler import Handler
from api.plain import number
from api.problems import Refused
from millpond import __version__, keys, metrics
from millpond.errors import NotDone

KIND = "text/plain; version=0.0.4; charset=utf-8"


class Livez(Handler):
    """Whether this process turns. Never asks Redis: a probe that did would kill every replica in an outage of it."""

    route = "/livez"
    calls: ClassVar = {
        "GET": Call(
            name="livez",
            tag="Service",
            summary="Say whether this process turns",
            text="Never asks Redis.",
            answers=(Answer(200, "It does.", record(status={"const": "ok"})),),
        )
    }

    def get(self) -> None:
        self.reply({"status": "ok"})


class Readyz(Handler):
    """Whether to send work here."""

    route = "/readyz"
    calls: ClassVar = {
        "GET": Call(
            name="readyz",
            tag="Service",
            summary="Say whether to send work here",
            answers=(Answer(200, "Yes.", record(status={"const": "ready"})),),
            refuses=("redis_unavailable", "durability_weak", "replicas_missing", "draining"),
        )
    }

    async def get(self) -> None:
        if self.application.draining:
            raise Refused(503, "draining", "This replica is about to stop.")
        await self.application.readiness.check()
        self.reply({"status": "ready"})


class Version(Handler):
    """Which Millpond this is."""

    route = "/version"
    calls: ClassVar = {
        "GET": Call(
            name="version",
            tag="Service",
            summary="Say which Millpond this is",
            answers=(Answer(200, "Its version.", record(name={"const": "millpond"}, version=TEXT)),),
        )
    }

    def get(self) -> None:
        self.reply({"name": "millpond", "version": __version__})


class Metrics(Handler):
    """Prometheus's text format; figures of Redis are as of this scrape, or as of the last one that reached it."""

    route = "/metrics"
    calls: ClassVar = {
        "GET": Call(
            name="metrics",
            tag="Service",
            summary="Tell this replica's metrics",
            answers=(Answer(200, "Prometheus's text format; docs/metrics.md names each.", TEXT, kind=KIND),),
        )
    }

    async def get(self) -> None:
        metrics.WAITING.set(self.application.waiters.count(moves=False))
        metrics.STREAMS.set(self.application.waiters.count(moves=True))
        with suppress(NotDone):
            await self._look()
        self.set_header("Content-Type", KIND)
        self.finish(metrics.expose("api"))

    async def _look(self) -> None:
        plain = self.application.plain
        (workers,) = await plain.read(lambda pipe: pipe.hlen(keys.WORKERS))
        metrics.WORKERS.set(number(workers))
        seen = await figures.read(plain)
        metrics.OPEN.set(seen.open)
        metrics.REDIS_USED.set(seen.memory.used)
        metrics.REDIS_MOST.set(seen.memory.most)
        for queue in seen.queues:
            metrics.QUEUED.labels(queue.name).set(queue.queued)
            metrics.STARTED.labels(queue.name).set(queue.started)
