"""The hot path of POST /v1/jobs: from the socket to the submit script and back, without a handler, a task or a copy.

It accepts, and nothing else. Whatever is unusual (a wait, a task that is not known yet, a body with any fault, a repeated key, a
drain) goes to the plain handler as it came, with Redis's answer if there is one already: refusing is its work alone, so that both
answer the same to the same bytes. Left out of what Tornado does for a handler is what nobody asks for here: URL arguments, cookies,
templates, a line for a log that is not kept.
"""

import time
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from tornado import httputil

from api import idempotency
from api.handler import asked_id
from millpond import codec, metrics
from millpond.errors import MillpondError
from millpond.moves import Submitted

if TYPE_CHECKING:
    from api.app import Api
    from api.orders import Order

_LINE = ("POST", "/v1/jobs", "HTTP/1.1")
_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
# What asks for another answer, or for another form of the exchange itself.
_UNUSUAL = frozenset({"Prefer", "Expect", "Transfer-Encoding", "Upgrade"})

_LARGE = 32 << 10  # bytes; there a handler's cost is little, and a fault would have to be found twice

_SECONDS = metrics.HTTP_SECONDS.labels("/v1/jobs")
_ANSWERED = metrics.HTTP_REQUESTS.labels("/v1/jobs", "POST", 202)
_ACCEPTED = metrics.SUBMITTED.labels("accepted")

# The headers of every answer (`Handler.set_default_headers`), then those of this one.
_HEAD = (
    b"HTTP/1.1 202 Accepted\r\nServer: millpond\r\nContent-Type: application/json\r\nDate: %b\r\nX-Request-Id: %b\r\n"
    b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    b'%bLocation: /v1/jobs/%b\r\nRetry-After: 1\r\nEtag: "1"\r\nVary: Prefer\r\nContent-Length: %d\r\n\r\n'
)


class Entrance(httputil.HTTPMessageDelegate):
    """One request: a usual submission is taken here, everything else by the routes (`plain`)."""

    __slots__ = ("api", "began", "body", "connection", "headers", "hot", "line", "order", "plain")

    def __init__(self, api: "Api", connection: httputil.HTTPConnection, plain: httputil.HTTPMessageDelegate) -> None:
        self.api = api
        self.connection = connection
        self.plain = plain
        self.hot = False
        self.body = b""

    @property
    def stream_request_body(self) -> bool:
        """Whether a handler takes the body as it comes; known when the head was received."""
        return not self.hot and getattr(getattr(self.plain, "delegate", None), "stream_request_body", False)

    def headers_received(self, start_line: Any, headers: httputil.HTTPHeaders) -> Any:
        if start_line != _LINE or not _usual(headers):
            return self.plain.headers_received(start_line, headers)
        self.hot, self.line, self.headers, self.began = True, start_line, headers, time.monotonic()
        return None

    def data_received(self, chunk: bytes) -> Any:
        if not self.hot:
            return self.plain.data_received(chunk)
        self.body = self.body + chunk if self.body else chunk
        return None

    def finish(self) -> None:
        if self.hot:
            self._submit()
        else:
            self.plain.finish()

    def on_connection_close(self) -> None:
        if not self.hot:
            self.plain.on_connection_close()

    def _submit(self) -> None:
        api = self.api
        if api.draining or len(self.body) > _LARGE:
            self._hand_over()
            return
        try:
            document = codec.decode(self.body, api.limits.body_bytes, api.limits.body_values)
            if api.intake.takes_long(document):
                self._hand_over()
                return
            order = api.intake.order(document, idempotency.key_of(self.headers))
            api.intake.send(order, partial(self._answer, order))
        except MillpondError:
            self._hand_over()

    def _answer(self, order: "Order", answer: Submitted | Exception) -> None:
        if isinstance(answer, Exception) or answer.answer != "accepted" or self.api.draining:
            self.api.settled[self.connection] = answer
            self._hand_over()
            return
        body = order.document(answer)
        request_id = asked_id(self.headers) or self.api.next_request_id()
        quota = b"" if answer.left is None else _lines(self.api.pressure.quota(answer.left))
        head = _HEAD % (_date(int(time.time())), request_id.encode(), quota, answer.id.encode(), len(body))
        self.connection.write(head + body)
        self.connection.finish()
        _ACCEPTED.inc()
        _ANSWERED.inc()
        _SECONDS.observe(time.monotonic() - self.began)

    def _hand_over(self) -> None:
        """Let the plain handler begin anew, with the request as it came."""
        self.hot = False
        self.plain.headers_received(self.line, self.headers)
        self.plain.data_received(self.body)
        self.plain.finish()


def _usual(headers: httputil.HTTPHeaders) -> bool:
    return (
        headers.get("Content-Type") in _JSON
        and _UNUSUAL.isdisjoint(headers)
        and headers.get("Connection", "keep-alive").lower() == "keep-alive"
    )


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


@lru_cache(2)
def _date(second: int) -> bytes:
    return httputil.format_timestamp(second).encode()
