"""The limit of Tornado's HTTP server: no application, no handler, a constant. ``python -m loadtest.peers.delegate PORT``."""

import asyncio
import sys

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, HTTPServerConnectionDelegate, ResponseStartLine

from loadtest.peers.constant import ANSWER

_ACCEPTED = ResponseStartLine("HTTP/1.1", 202, "Accepted")


class _Answer(HTTPMessageDelegate):
    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def finish(self) -> None:
        headers = HTTPHeaders({"Content-Type": "application/json", "Content-Length": str(len(ANSWER))})
        self._connection.write_headers(_ACCEPTED, headers, ANSWER)
        self._connection.finish()


class _Constant(HTTPServerConnectionDelegate):
    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        return _Answer(request_conn)


async def serve(port: int) -> None:
    """Answer until the process is ended."""
    HTTPServer(_Constant()).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
