"""The hot path of POST /v1/jobs: from the socket to the submit script and back, without a handler, a task or a future.

It accepts, and nothing else. Whatever is unusual (a wait, a task that is not known yet, a body with any fault, a repeated key, a
drain) is left for the plain handler as it came, with Redis's answer if there is one already: refusing is its work alone, so that both
answer the same to the same bytes. Left out of what Tornado does for a handler is what nobody asks for here: URL arguments, cookies,
templates, a line for a log that is not kept.
"""

import re
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from tornado.httputil import HTTPHeaders, format_timestamp

from api import heads, idempotency
from api.handler import asked_id
from millpond import codec, metrics
from millpond.errors import MillpondError
from millpond.moves import Submitted

if TYPE_CHECKING:
    from api.app import Api
    from api.orders import Order
    from api.stream import Stream

_LINE = b"POST /v1/jobs HTTP/1.1\r\n"
_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
# What asks for another answer, or for another form of the exchange itself.
_UNUSUAL = frozenset({"Prefer", "Expect", "Transfer-Encoding", "Upgrade"})

# What differs from one request of a client to its next. The rest of a head is its form, and a form is judged once: to read a head
# anew each time took a fifth of all time.
_LENGTH, _KEY, _ID = b"content-length", b"idempotency-key", b"x-request-id"
_OWN = re.compile(rb"\r\n(%b|%b|%b): ([ -~]+)(?=\r)" % (_LENGTH, _KEY, _ID), re.IGNORECASE)
_FORMS = 256  # that are remembered
_LONG = 4 << 10  # bytes of a head that is
_SHORT = re.compile(rb"[0-9]{1,4}|[12][0-9]{4}")  # bytes of a body; with a longer one a handler's cost is little, and a fault is found once

_SECONDS = metrics.HTTP_SECONDS.labels("/v1/jobs")
_ANSWERED = metrics.HTTP_REQUESTS.labels("/v1/jobs", "POST", 202)
_ACCEPTED = metrics.SUBMITTED.labels("accepted")

# The headers of every answer (`Handler.set_default_headers`), then those of this one.
_HEAD = (
    b"HTTP/1.1 202 Accepted\r\nServer: millpond\r\nContent-Type: application/json\r\nDate: %b\r\nX-Request-Id: %b\r\n"
    b"X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
    b'%bLocation: /v1/jobs/%b\r\nRetry-After: 1\r\nEtag: "1"\r\nVary: Prefer\r\nContent-Length: %d\r\n\r\n'
)


class Entrance:
    """One connection's way in: takes a usual submission when it is whole, one at a time, and leaves everything else."""

    __slots__ = ("_api", "_began", "_order", "_request_id", "_stream")

    _began: float
    _order: "Order"
    _request_id: str

    def __init__(self, api: "Api", stream: "Stream") -> None:
        self._api = api
        self._stream = stream

    def take(self, data: bytes) -> int | None:
        """How many bytes of `data` are a request that was taken (`api.stream.Takes`)."""
        limits = self._api.limits
        end = data.find(b"\r\n\r\n", 0, min(_LONG, limits.header_bytes)) + 4
        if end < 4 or not data.startswith(_LINE):
            return None
        own = _own(data[:end])
        if own is None or (length := int(own[_LENGTH])) > limits.body_bytes:
            return None
        if len(data) < end + length:
            return 0
        return end + length if self._submit(data[end : end + length], own) else None

    def _submit(self, body: bytes, own: Mapping[bytes, bytes]) -> bool:
        api = self._api
        if api.draining:
            return False
        try:
            document = codec.decode(body, api.limits.body_bytes, api.limits.body_values)
            if api.intake.takes_long(document):
                return False
            order = api.intake.order(document, idempotency.read_key(own[_KEY].decode()) if _KEY in own else None)
            api.intake.send(order, self._answer)
        except MillpondError:
            return False
        self._order, self._began = order, time.monotonic()
        self._request_id = asked_id(own.get(_ID, b"").decode().strip()) or api.next_request_id()
        return True

    def _answer(self, answer: Submitted | Exception) -> None:
        api = self._api
        if isinstance(answer, Exception) or answer.answer != "accepted" or api.draining:
            api.declined[self._stream] = answer
            self._stream.decline()  # and the plain handler says it
            return
        body = self._order.document(answer)
        quota = b"" if answer.left is None else _lines(api.pressure.quota(answer.left))
        date = _date(int(time.time()))
        self._stream.answer(_HEAD % (date, self._request_id.encode(), quota, answer.id.encode(), len(body)) + body)
        _ACCEPTED.inc()
        _ANSWERED.inc()
        _SECONDS.observe(time.monotonic() - self._began)


def _own(head: bytes) -> dict[bytes, bytes] | None:
    """A head's own values by name; None for the head of what is unusual."""
    pieces = _OWN.split(head)
    values = pieces[2::3]
    del pieces[2::3]
    names = _names(*pieces)
    if names is None:
        return None
    own = dict(zip(names, values, strict=True))
    return own if _SHORT.fullmatch(own[_LENGTH]) else None


@lru_cache(_FORMS)
def _names(*form: bytes) -> tuple[bytes, ...] | None:
    """Whose values were cut out of a head of this form; None: it is unusual.

    What `heads` takes with one value is right with all: they are printable, and only the length means something to it.
    """
    names = form[1::2]
    whole = b"".join(text + b"\r\n" + name + b": 1" for text, name in zip(form[::2], names, strict=False)) + form[-1]
    try:
        headers = heads.read(whole, _LONG).headers
    except MillpondError:
        return None
    names = tuple(name.lower() for name in names)
    return names if _LENGTH in names and _usual(headers) and all(_once(headers, name, names) for name in (_LENGTH, _KEY, _ID)) else None


def _usual(headers: HTTPHeaders) -> bool:
    return (
        headers.get("Content-Type") in _JSON
        and _UNUSUAL.isdisjoint(headers)
        and headers.get("Connection", "keep-alive").lower() == "keep-alive"
    )


def _once(headers: HTTPHeaders, name: bytes, cut: Sequence[bytes]) -> bool:
    """Whether all that there is under a name was cut out, and is there once at most."""
    return len(headers.get_list(name.decode())) == cut.count(name) <= 1


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


@lru_cache(2)
def _date(second: int) -> bytes:
    return format_timestamp(second).encode()
