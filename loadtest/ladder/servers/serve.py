"""What every server of the ladder has: its options, listening on loopback until SIGTERM, and the job's number in the body."""

import argparse
import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import orjson
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

from loadtest.ladder.ledger import Ledger

Routes = Sequence[tuple[str, Any, dict[str, Any]]]
Beside = Callable[[], Coroutine[Any, Any, Any]]
BACKLOG = 4096  # connections that wait to be accepted; Linux allows no more by default


def options(seconds: float = 1.0) -> argparse.Namespace:
    """`port`; `seconds`: of one piece of work; `slots`: threads, or processes where that is what the server has; `ledger`: the file
    that gets a line for each piece of work when it is done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--seconds", type=float, default=seconds)
    parser.add_argument("--slots", type=int, default=20)
    parser.add_argument("--ledger", type=Path, default=Path("/dev/stdout"))
    return parser.parse_args()


def bind(port: int) -> list[socket.socket]:
    """Listen on loopback."""
    return bind_sockets(port, "127.0.0.1", backlog=BACKLOG)


def serve(routes: Routes, sockets: Sequence[socket.socket], beside: Beside | None = None) -> None:
    """Answer on these sockets until SIGTERM. `beside`: what runs on the same loop as long as that."""
    asyncio.run(_serve(routes, sockets, beside))


async def _serve(routes: Routes, sockets: Sequence[socket.socket], beside: Beside | None) -> None:
    HTTPServer(Application(list(routes))).add_sockets(list(sockets))
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    ends = {asyncio.ensure_future(end.wait())} | ({asyncio.ensure_future(beside())} if beside else set())
    done, rest = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for one in rest:
        one.cancel()
    for one in done:
        one.result()  # what runs beside ends only by a fault: raised here


class JobHandler(RequestHandler):
    """GET / with the body ``{"job_id": n}``, the first article's call."""

    def initialize(self, seconds: float, ledger: Path) -> None:
        self.seconds = seconds
        self.ledger = Ledger(ledger)

    @property
    def job_id(self) -> int:
        """The job's number; another body is a 400."""
        try:
            return int(orjson.loads(self.request.body)["job_id"])
        except (ValueError, TypeError, KeyError):
            raise HTTPError(400) from None
