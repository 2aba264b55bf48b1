"""One connection to Redis for script calls, kept open: a write, a read, nothing between them.

redis-py connects, authenticates and encrypts it, for every form of a Redis URL; then this protocol takes its transport over, because
what redis-py does around each exchange takes four times the exchange's own time.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import hiredis
import redis
from hiredis import pack_command

from millpond import broker
from millpond.errors import NotDone, OutcomeUnknown
from millpond.moves import Arg, Call

Command = tuple[Arg, ...]
P = TypeVar("P", bound=asyncio.Protocol)


class _Replies(asyncio.Protocol):
    """Collects the replies to one write at a time."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.lost = False
        self._reader = hiredis.Reader()
        self._replies: list[Any] = []
        self._wanted = 0
        self._answered: asyncio.Future[list[Any]] | None = None

    async def ask(self, packed: Sequence[bytes], timeout_s: float) -> list[Any]:
        """Write requests, wait for as many replies. Raises OutcomeUnknown; the connection is of no use then."""
        loop = asyncio.get_running_loop()
        self._replies, self._wanted, self._answered = [], len(packed), loop.create_future()
        timer = loop.call_later(timeout_s, self._fail, "timed out")
        try:
            self.transport.write(b"".join(packed))
            return await self._answered
        except BaseException:
            self.abort()  # a reply that comes late must never be taken for another's
            raise
        finally:
            timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._replies.append(reply)
        except hiredis.ProtocolError as error:
            self._fail(str(error))
            return
        if self._answered and not self._answered.done() and len(self._replies) >= self._wanted:
            self._answered.set_result(self._replies)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._fail(str(error) if error else "it closed the connection")

    def _fail(self, why: str) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_exception(OutcomeUnknown(f"Redis did not answer: {why}"))

    def abort(self) -> None:
        """Close at once."""
        self.lost = True
        self.transport.abort()


class Link:
    """A connection that is made when it is needed, and again when it was lost. One exchange at a time."""

    def __init__(self, redis_url: str, timeout_s: float = broker.TIMEOUT_S) -> None:
        self._pool = broker.connect_async(redis_url, timeout_s).connection_pool
        self._timeout_s = timeout_s
        self._replies: _Replies | None = None
        self._let_go: Callable[[], None] = lambda: None

    async def open(self) -> None:
        """Be connected. Raises NotDone: nothing was sent."""
        if self._replies and not self._replies.lost:
            return
        self.close()
        try:
            self._replies, self._let_go = await take_over(self._pool, _Replies)
        except (redis.RedisError, OSError) as error:
            raise NotDone(f"Redis cannot be reached: {error}") from error

    async def exchange(self, calls: Sequence[Call[Any]], then: Sequence[Command] = ()) -> list[Any]:
        """Run calls in one write and one read, in order, after `open`. The plain commands `then` follow in the same write; their
        replies come after the calls' values, an error among them as its exception.

        Raises NotDone, OutcomeUnknown, or redis's ResponseError for what no script of ours should cause, for the first that failed.
        """
        assert self._replies
        packed = [_pack("EVALSHA", call.script.sha, call) for call in calls]
        after = [pack_command(words) for words in then]  # type: ignore[arg-type]  # its stub knows one word
        replies = await self._replies.ask([*packed, *after], self._timeout_s)
        for at, call in enumerate(calls):
            if isinstance(replies[at], hiredis.ReplyError) and str(replies[at]).startswith("NOSCRIPT"):
                # Not done (rule 9), and the only cure is the text; EVAL also stores it. What follows a call must follow it also then.
                again = [_pack("EVAL", call.script.text, call), *after]
                replies[at], *replies[len(calls) :] = await self._replies.ask(again, self._timeout_s)
            if isinstance(replies[at], hiredis.ReplyError):
                raise _error(replies[at])
        return [*(call.read(reply) for call, reply in zip(calls, replies, strict=False)), *replies[len(calls) :]]

    def close(self) -> None:
        """Disconnect."""
        if self._replies:
            self._replies.lost = True
            self._let_go()
            self._replies = None


async def take_over(pool: Any, protocol: Callable[[asyncio.Transport], P]) -> tuple[P, Callable[[], None]]:
    """Connect as `pool` does and give the bytes to a protocol of ours; the second answer disconnects. Raises RedisError or OSError."""
    connection = pool.make_connection()
    await connection.connect()
    transport = connection._writer.transport
    ours = protocol(transport)
    transport.set_protocol(ours)

    def let_go() -> None:
        transport.abort()
        # Held until now, unused: a stream that nobody holds closes its transport.
        connection._reader = connection._writer = None

    return ours, let_go


def _pack(command: str, script: str, call: Call[Any]) -> bytes:
    packed: bytes = pack_command((command, script, 0, *call.args))  # type: ignore[arg-type]
    return packed


def _error(reply: Any) -> Exception:
    error = redis.ResponseError(str(reply))
    return broker.refusal(error) if broker.refused(error) else error
