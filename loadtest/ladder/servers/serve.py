"""What every server of the ladder has: its options, and listening on loopback until SIGTERM."""

import argparse
import asyncio
import signal
import socket
from collections.abc import Sequence
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

Routes = Sequence[tuple[str, Any, dict[str, Any]]]
BACKLOG = 4096  # connections that wait to be accepted; more than any load here opens at once


def options() -> argparse.Namespace:
    """`port`; `seconds`: of one piece of work; `slots`: threads, or processes where that is what the server has; `ledger`: the file
    that gets a line for each piece of work when it is done."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8888)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--slots", type=int, default=20)
    parser.add_argument("--ledger", default="/dev/stdout")
    return parser.parse_args()


def bind(port: int) -> list[socket.socket]:
    """Listen on loopback."""
    return bind_sockets(port, "127.0.0.1", backlog=BACKLOG)


def serve(routes: Routes, sockets: Sequence[socket.socket]) -> None:
    """Answer on these sockets until SIGTERM."""
    asyncio.run(_serve(routes, sockets))


async def _serve(routes: Routes, sockets: Sequence[socket.socket]) -> None:
    HTTPServer(Application(list(routes))).add_sockets(list(sockets))
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    await end.wait()
