"""The database cannot be used, or it refuses a value: never one for the other."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest

from millpond.errors import BadSetting, RowRefused, StoreUnavailable
from millpond.job import Job
from millpond.store import Loss, Store, open_store
from tests.processes import free_port
from tests.servers import PostgresServer
from tests.store.samples import a_job, an_attempt, failed, finished

NUL = "a\0b"


def refused_everywhere(job: Job) -> list[Job]:
    return [
        replace(job, error_message="\ud800"),
        replace(job, args=["\udfff"]),
        replace(job, result_json=b"\xff"),
        replace(job, version=2**63),
        replace(job, status=None),  # type: ignore[arg-type]
    ]


def refused_by_postgresql(job: Job) -> list[Job]:
    return [
        replace(job, error_message=NUL),
        replace(job, error_traceback=NUL),
        replace(job, worker=NUL),
        replace(job, tags={"a": NUL}),
        replace(job, result_json=b"{not json"),
        replace(job, id=token_hex(20_000)),
        replace(job, id=NUL),
    ]


def test_values_that_no_database_holds_are_refused(store: Store) -> None:
    good = a_job()
    for bad in refused_everywhere(finished(a_job())):
        with pytest.raises(RowRefused):
            store.record([good, bad])
    assert store.get(good.id) is None, "a refused batch writes nothing"


def test_values_that_postgresql_does_not_hold_are_refused(postgres_url: str) -> None:
    good = a_job()
    with closing(open_store(postgres_url)) as store:
        store.upgrade()
        for bad in refused_by_postgresql(failed(a_job())):
            with pytest.raises(RowRefused):
                store.record([good, bad])
        with pytest.raises(RowRefused):
            store.record([good], [an_attempt(good, error_message=NUL)])
        with pytest.raises(RowRefused):
            store.record([good], losses=[Loss(id=NUL, version=1, listed=True, kind="deleted")])
        assert store.get(good.id) is None, "a refused batch writes nothing"


def test_a_missing_table_is_no_fault_of_the_values(database_url: str) -> None:
    with closing(open_store(database_url)) as store:
        with pytest.raises(StoreUnavailable):
            store.record([a_job()])
        with pytest.raises(StoreUnavailable):
            store.get("a")


ASKED: list[Callable[[Store], Any]] = [
    lambda store: store.record([a_job()]),
    lambda store: store.get("a"),
    lambda store: store.attempts("a"),
    lambda store: store.prune(1),
    lambda store: store.ping(),
]


@pytest.mark.parametrize("ask", ASKED)
def test_nobody_listens(ask: Callable[[Store], Any]) -> None:
    with closing(open_store(f"postgresql://nobody@127.0.0.1:{free_port()}/none")) as store, pytest.raises(StoreUnavailable):
        ask(store)


@pytest.mark.parametrize("ask", ASKED)
def test_a_folder_that_is_not_there(ask: Callable[[Store], Any], tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/missing/millpond.db")) as store, pytest.raises(StoreUnavailable):
        ask(store)


def test_a_restart_of_postgresql_is_not_noticed(server_folder: Path) -> None:
    with PostgresServer(server_folder / "restarted") as server, closing(open_store(server.fresh_database())) as store:
        store.upgrade()
        job = a_job()
        store.record([job])
        server.stop()
        with pytest.raises(StoreUnavailable):
            store.record([finished(job)])
        server.start()
        store.record([finished(job)])
        server.kill()
        server.start()
        assert store.get(job.id)


def test_a_locked_sqlite_file_is_waited_for_and_then_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "millpond.db"
    with closing(open_store(f"sqlite:///{path}")) as store, closing(sqlite3.connect(path)) as holder:
        store.upgrade()
        holder.execute("BEGIN IMMEDIATE")
        assert store.get("a") is None, "readers do not wait for a writer"
        with pytest.raises(StoreUnavailable):
            store.record([a_job()])
        holder.rollback()
        store.record([a_job()])


def test_a_statement_that_takes_too_long_is_unavailable(postgres_url: str) -> None:
    with closing(open_store(postgres_url, timeout_s=0.2)) as store, closing(psycopg.connect(postgres_url)) as holder:
        store.upgrade()
        holder.execute("LOCK TABLE jobs")
        with pytest.raises(StoreUnavailable):
            store.get("a")
        holder.rollback()
        assert store.get("a") is None


def test_a_held_lock_in_postgresql_is_waited_for_and_then_unavailable(postgres_url: str) -> None:
    job = a_job()
    with closing(open_store(postgres_url)) as store, closing(psycopg.connect(postgres_url)) as holder:
        store.upgrade()
        store.record([job])
        holder.execute("SELECT 1 FROM jobs FOR UPDATE")
        with pytest.raises(StoreUnavailable):
            store.record([finished(job)])
        holder.rollback()
        store.record([finished(job)])


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/name", "nonsense"])
def test_a_database_that_is_neither_is_refused_by_name(url: str) -> None:
    with pytest.raises(BadSetting, match="DATABASE_URL"):
        open_store(url)
