"""Connections to PostgreSQL and SQLite, as the record needs them: durable, and never waited for without an end."""

from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from millpond.errors import BadSetting

CONNECT_TIMEOUT_S: Final = 2  # libpq's smallest; a database that does not even accept is down
STATEMENT_TIMEOUT_S: Final = 10.0  # a batch of 500 rows takes under 0.1 s; beyond this it is stuck and is sent again
LOCK_TIMEOUT_MS: Final = 5_000  # the longest that a batch waits for another writer, on both engines
SILENCE_MS: Final = 5_000  # a connection whose peer acknowledges nothing for this long is broken (TCP_USER_TIMEOUT)
POOL_SIZE: Final = 4  # a process asks from a few threads at most

BEGIN: Final = "millpond_begin"  # the execution option that names SQLite's kind of transaction; DEFERRED, for reading, if not given


def open_engine(url: str, timeout_s: float | None = STATEMENT_TIMEOUT_S) -> Engine:
    """Connect lazily to ``postgresql://...`` or ``sqlite:///path``; BadSetting for anything else.

    `timeout_s`: the longest that PostgreSQL works on one statement; None: for migrations, which also wait for any lock.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadSetting("DATABASE_URL is not a URL such as postgresql://user@host/name or sqlite:///file.db") from error
    match parsed.get_backend_name():
        case "postgresql":
            return _postgres(parsed, timeout_s)
        case "sqlite" if parsed.database and parsed.database != ":memory:":
            return _sqlite(parsed, timeout_s is not None)
    raise BadSetting("DATABASE_URL must name a PostgreSQL database or an SQLite file")


def _postgres(url: URL, timeout_s: float | None) -> Engine:
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=POOL_SIZE,
        max_overflow=POOL_SIZE,
        pool_timeout=CONNECT_TIMEOUT_S,
        # A dead connection is met when it is used, and everything here may be sent again: no round trip to ask first.
        pool_pre_ping=False,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "tcp_user_timeout": SILENCE_MS, "keepalives_idle": 5},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.autocommit = True
        connection.execute("SET timezone TO 'UTC'")
        if timeout_s:
            connection.execute(f"SET statement_timeout TO {round(timeout_s * 1000)}")
            connection.execute(f"SET lock_timeout TO {LOCK_TIMEOUT_MS}")
        connection.autocommit = False

    return engine


def _sqlite(url: URL, impatient: bool) -> Engine:
    engine = create_engine(url, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, pool_timeout=CONNECT_TIMEOUT_S)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # Transactions are begun below, not by the driver, which would begin them too late and too weak.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS if impatient else 30_000}")
        connection.execute("PRAGMA journal_mode = WAL")
        # WAL with NORMAL may forget commits when the machine stops; what we acknowledge must stay.
        connection.execute("PRAGMA synchronous = FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(BEGIN, 'DEFERRED')}")

    return engine
