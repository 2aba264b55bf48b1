"""Redis connections with retries off, and how a script call ends: done, not done, or unknown (rule 9)."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import redis
import redis.asyncio
from hiredis import pack_command
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from millpond.errors import NotDone, OutcomeUnknown, RedisFull
from millpond.moves import Arg, Call

T = TypeVar("T")
Command = tuple[Arg, ...]

TIMEOUT_S = 1.0  # socket time-out everywhere: a lost reply is noticed within it (rule 4)

# Error replies that Redis gives before it does anything; all may be sent again.
_REFUSALS = (
    *("LOADING", "BUSY", "READONLY", "MASTERDOWN", "OOM", "NOSCRIPT", "MISCONF", "CLUSTERDOWN", "TRYAGAIN"),
    *("NOAUTH", "NOPERM", "NOREPLICAS", "max number of clients"),
)
_REFUSED = (
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.AuthenticationError,
    redis.exceptions.NoPermissionError,
    redis.exceptions.MaxConnectionsError,
)


def options(timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """Keyword arguments of every Redis client of ours, sync or async: no retry inside the client, short time-outs."""
    return {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "retry_on_timeout": False,
        "health_check_interval": 0,
        # Left on "auto", redis-py 8 hands out connections that the server has closed (their write then looks like a request of
        # unknown fate), and lets a push message stretch our time-outs to 10 s (redis/asyncio/connection.py, `ensure_connection`).
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }


def connect(url: str, timeout_s: float = TIMEOUT_S) -> redis.Redis:
    """A sync client; it connects when first used."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options(timeout_s))


def connect_async(url: str, timeout_s: float = TIMEOUT_S) -> "redis.asyncio.Redis":
    """An asyncio client; it connects when first used, and belongs to the loop that first uses it."""
    from redis.asyncio.retry import Retry as AsyncRetry

    return redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **options(timeout_s))


def refused(error: BaseException) -> bool:
    """Whether this error reply means that nothing was done."""
    return isinstance(error, _REFUSED) or (
        isinstance(error, redis.exceptions.ResponseError) and str(error).startswith(_REFUSALS)
    )


def _refusal(error: Exception) -> NotDone:
    kind = RedisFull if isinstance(error, redis.exceptions.OutOfMemoryError) else NotDone
    return kind(f"Redis refused: {error}")


def run(client: redis.Redis, call: Call[T]) -> T:
    """Run one call. Raises NotDone, OutcomeUnknown, or redis's ResponseError for what no script of ours should cause."""
    answer: T = run_all(client, [call])[0]
    return answer


def run_all(client: redis.Redis, calls: Sequence[Call[Any]]) -> list[Any]:
    """Run several calls in one write and one read, in order, on one connection; raises as `run`, for the first that failed."""
    pool = client.connection_pool
    try:
        connection = pool.get_connection()
    except (redis.exceptions.RedisError, OSError) as error:
        raise NotDone(f"Redis cannot be reached: {error}") from error
    try:
        return _exchange(connection, calls)
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as error:
        connection.disconnect()
        if refused(error):
            raise _refusal(error) from error
        raise OutcomeUnknown(f"Redis did not answer: {error}") from error
    except redis.exceptions.ResponseError as error:
        if refused(error):
            raise _refusal(error) from error
        raise
    except BaseException:
        connection.disconnect()
        raise
    finally:
        pool.release(connection)


def _exchange(connection: Any, calls: Sequence[Call[Any]]) -> list[Any]:
    connection.send_packed_command(connection.pack_commands([("EVALSHA", c.script.sha, 0, *c.args) for c in calls]))
    replies = [_reply(connection) for _ in calls]
    for at, reply in enumerate(replies):
        if isinstance(reply, redis.exceptions.NoScriptError):
            # Not done (rule 9), and the only cure is the text; EVAL also stores it.
            connection.send_command("EVAL", calls[at].script.text, 0, *calls[at].args)
            replies[at] = _reply(connection)
        if isinstance(replies[at], redis.exceptions.RedisError):
            raise replies[at]
    return [call.read(reply) for call, reply in zip(calls, replies, strict=True)]


def _reply(connection: Any) -> Any:
    """One reply; an error reply is returned, so that the replies after it are still read."""
    try:
        return connection.read_response()
    except redis.exceptions.ResponseError as error:
        return error


@asynccontextmanager
async def connected(client: "redis.asyncio.Redis") -> AsyncIterator[Any]:
    """A connection that is up, for `exchange_async`. Raises NotDone where there is none: nothing was sent yet."""
    pool = client.connection_pool
    try:
        connection = await pool.get_connection()
    except (redis.exceptions.RedisError, OSError) as error:
        raise NotDone(f"Redis cannot be reached: {error}") from error
    try:
        yield connection
    finally:
        await pool.release(connection)


async def exchange_async(connection: Any, calls: Sequence[Call[Any]], then: Sequence[Command] = ()) -> list[Any]:
    """Run calls in one write and one read, in order; raises as `run`, for the first that failed. The plain commands `then` follow in
    the same write; their replies come after the calls' values, an error among them as its exception."""
    try:
        return await _exchange_async(connection, calls, then)
    except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError, OSError) as error:
        await connection.disconnect(nowait=True)
        if refused(error):
            raise _refusal(error) from error
        raise OutcomeUnknown(f"Redis did not answer: {error}") from error
    except redis.exceptions.ResponseError as error:
        if refused(error):
            raise _refusal(error) from error
        raise
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


async def _exchange_async(connection: Any, calls: Sequence[Call[Any]], then: Sequence[Command]) -> list[Any]:
    # hiredis packs 8 times faster than redis-py's asyncio side does; its sync side uses it by itself.
    packed = [pack_command(("EVALSHA", c.script.sha, 0, *c.args)) for c in calls]  # type: ignore[arg-type]  # its stub knows one word
    after = [pack_command(words) for words in then]  # type: ignore[arg-type]
    await connection.send_packed_command(packed + after)
    replies = [await _reply_async(connection) for _ in packed]
    answered = [await _reply_async(connection) for _ in after]
    for at, reply in enumerate(replies):
        if isinstance(reply, redis.exceptions.NoScriptError):
            text = pack_command(("EVAL", calls[at].script.text, 0, *calls[at].args))  # type: ignore[arg-type]
            await connection.send_packed_command([text, *after])  # what follows a call must follow it also then
            replies[at] = await _reply_async(connection)
            answered = [await _reply_async(connection) for _ in after]
        if isinstance(replies[at], redis.exceptions.RedisError):
            raise replies[at]
    return [*(call.read(reply) for call, reply in zip(calls, replies, strict=True)), *answered]


async def _reply_async(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except redis.exceptions.ResponseError as error:
        return error
