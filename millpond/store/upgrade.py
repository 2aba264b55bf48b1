"""Bring a database to this version's tables. Any number of processes may try at once; one works, the others wait for it."""

from threading import Event
from time import monotonic

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Connection, Engine, text

from millpond.errors import StoreUnavailable
from millpond.store.engines import BEGIN, open_engine
from millpond.store.faults import translated

LOCK = 0x6D696C6C706F6E64  # "millpond": the advisory lock that PostgreSQL's migrators take
RETRY_S = 0.5


def upgrade(url: URL, patience_s: float) -> None:
    """See `Store.upgrade`."""
    engine = open_engine(url.render_as_string(hide_password=False), timeout_s=None)
    try:
        _wait_for(engine, patience_s)
        with translated(), engine.connect().execution_options(**{BEGIN: "EXCLUSIVE"}) as connection, connection.begin():
            _lock(connection)
            _migrate(connection)
    finally:
        engine.dispose()


def _wait_for(engine: Engine, patience_s: float) -> None:
    deadline = monotonic() + patience_s
    while True:
        try:
            with translated(), engine.connect() as connection:
                connection.execute(text("SELECT 1"))
            return
        except StoreUnavailable:
            if monotonic() >= deadline:
                raise
            Event().wait(RETRY_S)


def _lock(connection: Connection) -> None:
    # SQLite's transaction began exclusive.
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "millpond.store:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
