"""The connection on which nobody waits, plain and over TLS, which a proxy of the test's takes off."""

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import redis

from tests.servers import RedisServer
from tests.until import until
from worker.channel import Channel

TLS = Path(__file__).parent / "tls"  # a certificate for localhost, of no authority, and its key: of use to nobody else


class TlsProxy:
    """Takes TLS off what comes, for a server on loopback."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(TLS / "certificate.pem", TLS / "key.pem")
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"rediss://127.0.0.1:{self._door.getsockname()[1]}/0?ssl_ca_certs={TLS / 'certificate.pem'}"
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                guest = self._context.wrap_socket(self._door.accept()[0], server_side=True)
                host = socket.create_connection(("127.0.0.1", self._server))
                for one, other in ((guest, host), (host, guest)):
                    Thread(target=_carry, args=(one, other), daemon=True).start()

    def close(self) -> None:
        self._door.close()


def _carry(one: socket.socket, other: socket.socket) -> None:
    with one:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_RDWR)


@pytest.fixture(params=["redis", "rediss"])
def channel(request: pytest.FixtureRequest, redis_server: RedisServer) -> Iterator[Channel]:
    proxy = TlsProxy(redis_server.port)
    channel = Channel(proxy.url if request.param == "rediss" else redis_server.url)
    channel.open([("PING",)])
    yield channel
    channel.close()
    proxy.close()


def taken(channel: Channel, count: int) -> list[Any]:
    """So many replies."""
    found: list[Any] = []

    def all_here() -> bool:
        found.extend(channel.replies())
        return len(found) >= count

    until(all_here, 10, f"{count} replies", every_s=0.001)
    return found


def test_replies_are_taken_in_order_when_they_are_there(channel: Channel) -> None:
    assert [*channel.replies()] == []
    channel.send([("ECHO", str(number)) for number in range(1_000)])
    assert taken(channel, 1_000) == [b"%d" % number for number in range(1_000)]
    assert [*channel.replies()] == []


def test_what_the_socket_does_not_take_at_once_passes_whole(channel: Channel) -> None:
    texts = [bytes([65 + number]) * 1_000_000 for number in range(20)]
    for text in texts:
        channel.send([("ECHO", text)])
    assert taken(channel, 20) == texts


def test_an_error_reply_is_raised_in_its_place(channel: Channel) -> None:
    channel.send([("ECHO", "one"), ("EVALSHA", "0" * 40, "0"), ("ECHO", "three")])
    found: list[Any] = []
    with pytest.raises(redis.ResponseError, match="NOSCRIPT"):
        until(lambda: found.extend(channel.replies()), 10, "the error came", every_s=0.001)
    assert found in ([b"one"], [])


def test_a_connection_that_the_server_closed_says_so(channel: Channel, redis_server: RedisServer) -> None:
    channel.send([("CLIENT", "ID")])
    (number,) = taken(channel, 1)
    with redis_server.client() as client:
        client.client_kill_filter(_id=number)
    with pytest.raises(OSError, match=r"closed|reset"):
        until(lambda: [*channel.replies()], 10, "its end came", every_s=0.001)
    channel.close()
    assert channel.socket is None
    channel.open([])
    channel.send([("PING",)])
    assert taken(channel, 1) == [b"PONG"]
