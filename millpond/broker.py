"""Redis connections with retries off, and how a script call ends: done, not done, or unknown (rule 9)."""

from collections.abc import Sequence
from typing import Any, TypeVar

import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

from millpond.errors import NotDone, OutcomeUnknown, RedisFull
from millpond.moves import Call

T = TypeVar("T")

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
    return isinstance(error, _REFUSED) or (isinstance(error, redis.exceptions.ResponseError) and str(error).startswith(_REFUSALS))


def refusal(error: Exception) -> NotDone:
    """What to raise for an error reply that means so."""
    full = isinstance(error, redis.exceptions.OutOfMemoryError) or str(error).startswith("OOM")
    return (RedisFull if full else NotDone)(f"Redis refused: {error}")


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
            raise refusal(error) from error
        raise OutcomeUnknown(f"Redis did not answer: {error}") from error
    except redis.exceptions.ResponseError as error:
        if refused(error):
            raise refusal(error) from error
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
