"""Requests that are made to be misunderstood, are too large or too slow, and clients that are too many: each gets its 4xx or 503,
nobody else feels it, and nothing is stored. Raw sockets, real server."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from millpond import keys
from tests.api.hand import Hand
from tests.api.raw import JOB, Answer, answers, chunk, post, talk, whole
from tests.api.replica import Replica, receive
from tests.until import until

NEXT = b"GET /v1/smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
GET = b"GET /livez HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = b"Content-Length: 25"


@pytest.fixture(scope="module")
def strict(server_folder: Path, shared_replica: Replica, shared_database: str) -> Iterator[Replica]:
    """A replica with short limits."""
    times = {"header_timeout_s": 1, "body_timeout_s": 1, "idle_timeout_s": 3}
    limits = {"max_body_bytes": 10_000, "max_header_bytes": 4096, "max_url_bytes": 1024, "max_connections": 20}
    with Replica(server_folder, shared_replica.env["MILLPOND_REDIS_URL"], shared_database, **times, **limits) as replica:
        yield replica


@pytest.fixture(autouse=True)
def _no_fault_of_ours(shared_replica: Replica, hand: Hand) -> Iterator[None]:
    """Whatever is sent, nothing goes wrong here."""
    yield
    assert not [line for line in shared_replica.lines() if line["level"] in ("error", "critical")]


def is_refused(said: list[Answer], status: int, code: str) -> None:
    """One answer, a whole problem document, and the end of the connection."""
    assert [answer.status for answer in said] == [status]
    assert said[0].headers["Content-Type"] == "application/problem+json"
    assert said[0].headers["Connection"] == "close"
    assert (said[0].problem["status"], said[0].problem["code"]) == (status, code)
    assert said[0].problem["request_id"]


# Two readers could find two ends of each of these; what follows them must never be taken for a request.
SMUGGLING = {
    "CL and TE": post(LENGTH, CHUNKED, body=b"0\r\n\r\n"),
    "TE and CL": post(CHUNKED, LENGTH, body=b"0\r\n\r\n"),
    "two CL": post(LENGTH, b"Content-Length: 3", body=JOB),
    "the same CL twice": post(LENGTH, LENGTH, body=JOB),
    "a list of CL": post(b"Content-Length: 25, 25", body=JOB),
    "CL with a sign": post(b"Content-Length: +25", body=JOB),
    "CL below zero": post(b"Content-Length: -1", body=JOB),
    "CL in hexadecimal": post(b"Content-Length: 0x19", body=JOB),
    "CL with an underscore": post(b"Content-Length: 2_5", body=JOB),
    "CL in another script": post(b"Content-Length: \xb2\xb5", body=JOB),
    "CL empty": post(b"Content-Length:", body=JOB),
    "CL with a tail": post(b"Content-Length: 25 5", body=JOB),
    "TE gzip": post(b"Transfer-Encoding: gzip", body=JOB),
    "TE gzip, chunked": post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "TE chunked, identity": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "TE chunked, chunked": post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "TE twice": post(CHUNKED, CHUNKED, body=b"0\r\n\r\n"),
    "TE with a vertical tab": post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n"),
    "TE quoted": post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "TE empty": post(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "TE xchunked": post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "TE in HTTP/1.0": post(CHUNKED, body=b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a space before the colon": post(b"Content-Length : 25", body=JOB),
    "a tab before the colon": post(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    "a folded line": post(b"X: a", b" Content-Length: 25", body=JOB),
    "a folded first line": b"GET /livez HTTP/1.1\r\n Host: a\r\n\r\n",
    "bare LF": GET.replace(b"\r\n", b"\n") + b"\n",
    "one bare LF": GET + b"X: a\nY: b\r\n\r\n",
    "bare LF at the end": GET + b"\n",
    "bare CR": GET + b"X: a\rContent-Length: 25\r\n\r\n",
    "NUL in a value": GET + b"X: a\0b\r\n\r\n",
    "NUL in a name": GET + b"X\0: a\r\n\r\n",
    "NUL in the target": b"GET /livez\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "no colon": GET + b"nonsense\r\n\r\n",
    "no name": GET + b": a\r\n\r\n",
    "a name that is no token": GET + b"X(Y): a\r\n\r\n",
    "no Host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two Hosts": GET + b"Host: b\r\n\r\n",
    "Host that is none": b"GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
    "hosts": b"GET /livez HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "a host in HTTP/1.0": b"GET /livez HTTP/1.0\r\nHost: a/b\r\n\r\n",
    "HTTP/0.9": b"GET /livez\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /livez HTTP/1.2\r\nHost: a\r\n\r\n",
    "http/1.1": b"GET /livez http/1.1\r\nHost: a\r\n\r\n",
    "two spaces": b"GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "a space in the target": b"GET /livez /x HTTP/1.1\r\nHost: a\r\n\r\n",
    "a tab for a space": b"GET\t/livez\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is no path": b"GET livez HTTP/1.1\r\nHost: a\r\n\r\n",
    "a target that is not ASCII": b"GET /\xfc HTTP/1.1\r\nHost: a\r\n\r\n",
    "another scheme": b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
    "a proxy's CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "many query fields": b"GET /livez?" + b"&" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a chunk size that is none": post(CHUNKED, body=b"zz\r\n"),
    "a chunk size with a sign": post(CHUNKED, body=b"+5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size below zero": post(CHUNKED, body=b"-1\r\n0\r\n\r\n"),
    "a chunk size with 0x": post(CHUNKED, body=b"0x5\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size with a space": post(CHUNKED, body=b"5 \r\nabcde\r\n0\r\n\r\n"),
    "a chunk extension": post(CHUNKED, body=b"5;a=b\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size without end": post(CHUNKED, body=b"0" * 100),
    "a chunk size beyond 64 bits": post(CHUNKED, body=b"ffffffffffffffffff\r\nabcde\r\n0\r\n\r\n"),
    "a chunk size and bare LF": post(CHUNKED, body=b"5\nabcde\r\n0\r\n\r\n"),
    "a chunk longer than it says": post(CHUNKED, body=b"5\r\nabcdef\r\n0\r\n\r\n"),
    "chunks that end in LF": post(CHUNKED, body=b"5\r\nabcde\n0\n\n"),
    "a trailer": post(CHUNKED, body=b"0\r\nX: a\r\n\r\n"),
}


@pytest.mark.parametrize("form", SMUGGLING)
def test_smuggling_forms_are_refused(api: Replica, hand: Hand, form: str) -> None:
    is_refused(talk(api, SMUGGLING[form] + NEXT), 400, "malformed")
    assert not hand.client.exists(keys.OPEN)


UNDERSTOOD = {
    "a chunked body": (post(CHUNKED, body=chunk(JOB[:9]) + chunk(JOB[9:]) + b"0\r\n\r\n"), 202),
    "Chunked": (post(b"TRANSFER-encoding:  Chunked ", body=chunk(JOB) + b"0\r\n\r\n"), 202),
    "a chunk size with zeros": (post(CHUNKED, body=b"000019\r\n" + JOB + b"\r\n000\r\n\r\n"), 202),
    "CL with zeros": (post(b"Content-Length: 00025", body=JOB), 202),
    "one empty line before": (b"\r\n" + whole(), 202),
    "absolute form": (b"GET http://b:80/livez?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "absolute form without a path": (b"GET HTTP://b?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 200),
    "asterisk form": (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404),
    "a CL that looks like another header": (post(b"Content_Length: 3", LENGTH, body=JOB), 202),
    "latin-1 in a value": (GET + b"X: \xfc\r\n\r\n", 200),
    "an empty Host": (b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n", 200),
    "a GET with a body": (GET + LENGTH + b"\r\n\r\n" + JOB, 200),
    "HTTP/1.0 that stays": (b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200),
}


@pytest.mark.parametrize("form", UNDERSTOOD)
def test_odd_forms_are_understood_and_the_connection_goes_on(api: Replica, hand: Hand, form: str) -> None:
    sent, status = UNDERSTOOD[form]
    said = talk(api, sent + GET + b"Connection: close\r\n\r\n")
    assert [answer.status for answer in said] == [status, 200]
    assert hand.client.scard(keys.OPEN) == (status == 202)


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.0\r\n\r\n",
        b"GET /livez HTTP/1.0\r\nConnection: x\r\n\r\n",
        GET + b"Connection: x, Close\r\n\r\n",
    ],
)
def test_who_does_not_ask_to_stay_is_let_go(api: Replica, sent: bytes) -> None:
    assert [answer.status for answer in talk(api, sent + NEXT)] == [200]


def test_pipelined_requests_are_answered_in_order_up_to_a_bad_one(api: Replica, hand: Hand) -> None:
    said = talk(api, whole() + GET + b"\r\n" + whole(b"[1") + whole() + GET + b": bad\r\n\r\n" + whole() + NEXT)
    assert [answer.status for answer in said] == [202, 200, 400, 202, 400]
    assert said[2].problem["code"] == "bad_json"
    assert hand.client.scard(keys.OPEN) == 2


@pytest.mark.parametrize(
    ("sent", "status", "code", "limit"),
    [
        (b"GET /" + b"x" * 1024 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "url_too_long", 1024),
        (b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "url_too_long", 1024),
        (GET + b"X: " + b"x" * 5000 + b"\r\n\r\n", 431, "headers_too_large", 4096),
        (GET + b"X: " + b"x" * 1_000_000 + b"\r\n\r\n", 431, "headers_too_large", 4096),
        (GET + b"X: a\r\n" * 100 + b"\r\n", 431, "headers_too_large", 100),
        (post(b"Content-Length: 10001", body=b"x" * 10_001), 413, "too_large", 10_000),
        (post(b"Content-Length: " + b"9" * 400), 413, "too_large", 10_000),
        (post(CHUNKED, body=chunk(b"x" * 1000) * 11), 413, "too_large", 10_000),
        (post(CHUNKED, body=b"f" * 15 + b"\r\n" + b"x" * 100_000), 413, "too_large", 10_000),
    ],
)
def test_what_is_too_large_is_told_the_limit(strict: Replica, sent: bytes, status: int, code: str, limit: int) -> None:
    said = talk(strict, sent)
    is_refused(said, status, code)
    assert said[0].problem["limit"] == limit


def test_a_body_that_is_refused_by_its_length_is_not_asked_for(strict: Replica) -> None:
    assert [answer.status for answer in talk(strict, post(b"Content-Length: 20000", b"Expect: 100-continue"))] == [413]


@pytest.mark.parametrize("begun", [b"G", GET + b"X: ", post(b"Content-Length: 999"), post(CHUNKED)])
def test_a_trickle_is_cut_however_it_drips(strict: Replica, begun: bytes) -> None:
    with strict.connect(0.1) as connection:
        connection.sendall(begun)
        said = until(lambda: _drip(connection), 4, "it is told off")
    is_refused(list(answers(said)), 408, "request_timeout")


def _drip(connection: socket.socket) -> bytes:
    """A byte more, and what was answered within a tenth of a second."""
    try:
        connection.sendall(b"1")
    except OSError:
        return b""
    return receive(connection)


def test_who_connects_and_says_nothing_is_cut(strict: Replica) -> None:
    with strict.connect(3) as connection:
        assert connection.recv(1) == b""


ONCE = post(LENGTH, b"Connection: close", body=JOB)


def held(replica: Replica, stack: ExitStack, count: int, sent: bytes = b"") -> list[socket.socket]:
    """Connections on which something was sent."""
    found = [stack.enter_context(replica.connect()) for _ in range(count)]
    for one in found:
        one.sendall(sent)
    return found


@pytest.fixture
def crowded(server_folder: Path, hand: Hand, shared_replica: Replica, shared_database: str) -> Iterator[Replica]:
    """A replica for 20 connections at ONCE, with time."""
    redis_url = shared_replica.env["MILLPOND_REDIS_URL"]
    with Replica(server_folder, redis_url, shared_database, max_connections=20) as replica:
        until(replica.is_ready, 5)
        replica.http.close()  # its connection would count
        yield replica


def test_a_full_server_refuses_the_next_and_still_tells_that_it_lives(crowded: Replica, hand: Hand) -> None:
    with ExitStack() as stack:
        busy = held(crowded, stack, 20, post(b"Content-Length: 25", body=JOB[:10]))
        until(lambda: talk(crowded, ONCE)[0].status == 503, 5, "it is full")
        said = talk(crowded, ONCE)
        is_refused(said, 503, "too_many_connections")
        assert said[0].headers["Retry-After"]
        assert [answer.status for answer in talk(crowded, GET + b"Connection: close\r\n\r\n")] == [200]
        spare = held(crowded, stack, 40)  # more than are spared
        until(lambda: any(_is_over(one) for one in spare), 5, "some are turned away")
        for one in busy[:19]:  # the end of the fixture's own connection may have been seen late
            one.sendall(JOB[10:])
            assert one.recv(65536).startswith(b"HTTP/1.1 202")


def _is_over(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return b"too_many_connections" in connection.recv(65536)
    except BlockingIOError:
        return False


def test_a_full_server_makes_room_by_closing_who_rests_or_dawdles(crowded: Replica, hand: Hand) -> None:
    with ExitStack() as stack:
        busy = held(crowded, stack, 5, post(b"Content-Length: 25", body=JOB[:10]))
        held(crowded, stack, 8)
        held(crowded, stack, 7, b"GET /livez HTTP/1.1\r\nX: ")
        for _ in range(15):
            until(lambda: talk(crowded, ONCE)[0].status == 202, 5, "there is room")
        for one in busy:
            one.sendall(JOB[10:])
            assert one.recv(65536).startswith(b"HTTP/1.1 202")
