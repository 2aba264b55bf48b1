"""The second article's GET /test: its envelope, its headers for browsers, and an error that is a 202.

The question is asked in a thread, so that the loop answers others meanwhile.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from tornado.web import RequestHandler

from loadtest.ladder.servers.clusters import CALL_S, Cluster
from loadtest.ladder.servers.serve import Routes, bind, options, serve

log = logging.getLogger(__name__)

FAILED = 1  # error_code
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET, PUT, DELETE, OPTIONS",
    "Access-Control-Max-Age": "1000",
    "Access-Control-Allow-Headers": "CONTENT-TYPE, Access-Control-Allow-Origin, cache-control, Cache-Control, x-access-token",
    "Access-Control-Expose-Headers": "X-Resource-Count",
}

Ask = Callable[[], Sequence[Any]]


class Envelope(RequestHandler):
    """Says {"error_code", "message", "data"} to any page of a browser."""

    def set_default_headers(self) -> None:
        for name, value in CORS.items():
            self.set_header(name, value)

    def options(self) -> None:
        """Say who may ask: the headers do."""
        self.finish()

    def found(self, data: Sequence[Any]) -> None:
        """Answer what was asked for, and how many."""
        self.set_header("X-Resource-Count", str(len(data)))
        self.finish({"error_code": 0, "message": "", "data": data})

    def failed(self, error_code: int, message: str) -> None:
        """Answer that there is nothing. The article's status for it is 202."""
        self.set_status(202)
        self.finish({"error_code": error_code, "message": message, "data": None})


class Question(Envelope):
    """Asks in a thread of `threads`."""

    def initialize(self, ask: Ask, threads: ThreadPoolExecutor) -> None:
        self._ask, self._threads = ask, threads

    async def get(self) -> None:
        """Answer what `ask` found."""
        try:
            data = await asyncio.get_running_loop().run_in_executor(self._threads, self._ask)
        except Exception as error:
            log.exception("no answer")
            self.failed(FAILED, f"{type(error).__name__}: {error}")
        else:
            self.found(data)


def routes(ask: Ask, slots: int) -> Routes:
    """GET /test for so many requests at a time; more of them wait."""
    return [("/test", Question, {"ask": ask, "threads": ThreadPoolExecutor(slots, "question")})]


def answer(ask: Callable[[float], list[Cluster]]) -> None:
    """Be a server, until SIGTERM, that asks by `ask`, which gets the seconds that one call takes."""
    given = options(seconds=CALL_S)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    serve(routes(partial(ask, given.seconds), given.slots), bind(given.port))
