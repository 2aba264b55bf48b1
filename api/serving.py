"""Our gunicorn worker class: one asyncio loop, Tornado's server, and a stop that waits for the requests in hand.

gunicorn's own tornado worker ends its loop two seconds after SIGTERM whatever is in flight, and passes no limits to Tornado
(ADR 0005). Here gunicorn supervises, watches for a stalled loop and hands over the listening sockets; serving is ours.
"""

import asyncio
import gc
import os
import signal
from typing import TYPE_CHECKING, Any

from gunicorn.glogging import Logger  # type: ignore[import-untyped]
from gunicorn.workers.base import Worker  # type: ignore[import-untyped]

from api import stalls
from api.server import SWEEP_S, Server
from api.turns import new_loop
from millpond import jsonschemas, logs

if TYPE_CHECKING:
    from api.app import Api

OLD_EVERY = 1000  # looks of the cycle collector at what is younger, for one at everything


class JsonLogger(Logger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's own lines, as JSON among all others."""

    def setup(self, cfg: Any) -> None:
        """Called at the start and at each reload; adds gunicorn's handlers, which must go again."""
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            logs.adopt(log.name)


class DrainingWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """SIGTERM drains within MILLPOND_DRAIN_S; SIGINT and SIGQUIT stop at once, as everywhere in gunicorn."""

    wsgi: "Api"

    def run(self) -> None:
        """Serve until told to stop; called by gunicorn after the fork."""
        jsonschemas.warm()
        # What was imported lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        # A look at everything stands still for 0.1 s where 5,000 requests wait, and while these arrive there are many by default.
        young, middle, _ = gc.get_threshold()
        gc.set_threshold(young, middle, OLD_EVERY)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._quick = False
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        for number in (signal.SIGINT, signal.SIGQUIT):
            loop.add_signal_handler(number, self._stop_quickly)
        app = self.wsgi
        await app.start()
        server = Server.over(app, app.limits, app.refuse, app.enter)
        for listener in self.sockets:
            listener.setblocking(False)
            server.add_socket(listener)
        beside = [loop.create_task(self._beat(server)), loop.create_task(stalls.measure())]
        await self._stop.wait()
        await self._drain(app, server)
        for task in beside:
            task.cancel()

    async def _drain(self, app: "Api", server: Server) -> None:
        app.drain()
        cut = await server.drain(0.0 if self._quick else app.config.drain_s)
        await app.stop()
        app.log.info("api_stopped", cut_requests=cut)

    def _stop_quickly(self) -> None:
        self._quick = True
        self._stop.set()

    async def _beat(self, server: Server) -> None:
        while True:
            self.notify()
            await server.sweep()
            if os.getppid() != self.ppid:
                self._stop.set()  # gunicorn's master is gone: nobody would stop us later
            await asyncio.sleep(SWEEP_S)  # gunicorn's `timeout` is many times that
