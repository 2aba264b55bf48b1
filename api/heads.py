"""A request's head as RFC 9112 has it, and in no other form: what two readers could take in two ways is refused.

A proxy and a server that find different ends of one request let a client smuggle another past the proxy. So: lines end in CRLF
only, no folded lines, no space before a colon, no control characters, one Host, one length, `chunked` alone or not at all.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from tornado.httputil import HTTPHeaders, RequestStartLine

from api.problems import Refused
from millpond.errors import BadInput

MAX_FIELDS = 100  # header lines; browsers and proxies together send some thirty
ANY_SIZE = 1 << 62  # bytes of a body whose announced length has more digits than anybody means

_CONTROLS = bytes(byte for byte in [*range(32), 127] if byte not in b"\t\r\n")
_LINE = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP/1\.([01])")
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9\-._~!$&'()*+;=%\[\]:]{0,255}")
_ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Head:
    """What a head says. `length` is the body's in bytes, None where it comes in chunks."""

    start_line: RequestStartLine
    headers: HTTPHeaders
    length: int | None
    keep_alive: bool
    expects: bool  # 100-continue


def read(raw: bytes, max_url: int) -> Head:
    """The head in `raw`, up to and with its empty line. Raises BadInput (malformed), or Refused (414, 431)."""
    lines = _lines(raw)
    method, target, minor = _start_line(lines[0], max_url)
    headers = _headers(lines)
    path = _path(target, headers)
    length = _length(headers, minor)
    if minor == "1" or "Host" in headers:
        _check_host(headers)
    start_line = RequestStartLine(method, path, f"HTTP/1.{minor}")
    return Head(start_line, headers, length, _keep_alive(headers, minor), headers.get("Expect", "").lower() == "100-continue")


def malformed(why: str) -> BadInput:
    """Not HTTP as we take it."""
    return BadInput(f"The request is not valid HTTP: {why}.")


def _lines(raw: bytes) -> list[str]:
    text = raw.decode("latin1")
    lines = text.split("\r\n")
    if not text.count("\n") == text.count("\r") == len(lines) - 1:
        raise malformed("a line ends in something else than CR LF")
    if len(raw.translate(None, _CONTROLS)) != len(raw):
        raise malformed("a control character")
    return lines[1:] if not lines[0] else lines  # RFC 9112 2.2: one empty line before a request is let pass


def _start_line(line: str, max_url: int) -> tuple[str, str, str]:
    match = _LINE.fullmatch(line)
    if not match:
        raise malformed("the first line is not METHOD TARGET HTTP/1.1 or HTTP/1.0")
    if len(match[2]) > max_url:
        raise Refused(414, "url_too_long", f"The URL has more than {max_url} bytes.", limit=max_url)
    return match[1], match[2], match[3]


def _headers(lines: list[str]) -> HTTPHeaders:
    if len(lines) - 3 > MAX_FIELDS:
        raise Refused(431, "headers_too_large", f"The request has more than {MAX_FIELDS} header lines.", limit=MAX_FIELDS)
    headers = HTTPHeaders()
    for line in lines[1:-2]:
        name, colon, value = line.partition(":")
        if not colon or not _is_name(name):
            raise malformed("a header line that is not NAME: VALUE")
        value = value.strip(" \t")
        if name in headers:
            headers.add(name, value)
        else:
            headers[name] = value
    return headers


@lru_cache(1024)
def _is_name(name: str) -> bool:
    return bool(_NAME.fullmatch(name))


def _path(target: str, headers: HTTPHeaders) -> str:
    """The target in origin form; RFC 9112 3.2.2: a server takes the absolute form too, and its host counts."""
    if target[0] == "/" or target == "*":
        return target
    match = _ABSOLUTE.fullmatch(target)
    if not match:
        raise malformed("the target is not a path")
    if len(headers.get_list("Host")) == 1:
        headers["Host"] = match[1]
    return match[2] if match[2].startswith("/") else "/" + match[2]


def _length(headers: HTTPHeaders, minor: str) -> int | None:
    encodings, lengths = headers.get_list("Transfer-Encoding"), headers.get_list("Content-Length")
    if encodings:
        if lengths or minor == "0" or [one.lower() for one in encodings] != ["chunked"]:
            raise malformed("Transfer-Encoding is `chunked`, once, in HTTP/1.1, without a Content-Length")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdecimal()):
        raise malformed("Content-Length is one whole number")
    return int(lengths[0]) if len(lengths[0]) < 19 else ANY_SIZE  # int() itself refuses very many digits


def _check_host(headers: HTTPHeaders) -> None:
    hosts = headers.get_list("Host")
    if len(hosts) != 1 or not _is_host(hosts[0]):
        raise malformed("one Host is needed")


@lru_cache(1024)
def _is_host(host: str) -> bool:
    return bool(_HOST.fullmatch(host))


def _keep_alive(headers: HTTPHeaders, minor: str) -> bool:
    wishes = {wish.strip().lower() for wish in headers.get("Connection", "").split(",")}
    return "close" not in wishes if minor == "1" else "keep-alive" in wishes
