"""Migrations: from nothing, again, by many at once, before the database is there; the tables are those that the code speaks of."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from millpond.errors import StoreUnavailable
from millpond.store import open_store
from millpond.store.engines import open_engine
from millpond.store.tables import metadata
from tests.processes import ROOT, free_port
from tests.servers import PostgresServer
from tests.store.samples import a_job


def test_the_migrated_tables_are_those_of_the_code(database_url: str) -> None:
    with closing(open_store(database_url)) as store:
        store.upgrade()
    engine = open_engine(database_url)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    # Alembic does not look at an index's `ddl_if`.
    assert [one for one in differences if one[0] != "add_index" or one[1].name != "jobs_by_tag" or engine.name != "sqlite"] == []


def test_many_upgrade_at_once(database_url: str) -> None:
    stores = [open_store(database_url) for _ in range(4)]
    with ThreadPoolExecutor(len(stores)) as threads:
        for done in [threads.submit(store.upgrade) for store in stores]:
            done.result()
    stores[0].record([a_job()])
    for store in stores:
        store.close()


def test_an_upgrade_again_keeps_what_is_there(database_url: str) -> None:
    with closing(open_store(database_url)) as store:
        store.upgrade()
        job = a_job()
        store.record([job])
        store.upgrade()
        assert store.get(job.id) == job


def test_it_waits_for_the_database(server_folder: Path) -> None:
    server = PostgresServer(server_folder / "late").start()
    url = server.fresh_database()
    server.stop()
    with ThreadPoolExecutor(1) as thread, closing(open_store(url)) as store:
        upgraded = thread.submit(store.upgrade)
        with server:
            upgraded.result(timeout=30)
            store.ping()


def test_it_does_not_wait_for_ever() -> None:
    with closing(open_store(f"postgresql://nobody@127.0.0.1:{free_port()}/none")) as store, pytest.raises(StoreUnavailable):
        store.upgrade(patience_s=0.1)


def command(url: str, *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", "millpond.store", *words]
    return subprocess.run(line, env={"MILLPOND_DATABASE_URL": url}, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command(database_url: str) -> None:
    done = command(database_url, "upgrade")
    assert (done.returncode, done.stderr) == (0, "")
    with closing(open_store(database_url)) as store:
        store.ping()


def test_the_command_says_what_is_wrong(database_url: str) -> None:
    assert command(database_url).returncode == 2
    wrong = command("mysql://host/name", "upgrade")
    assert wrong.returncode == 2
    assert "MILLPOND_DATABASE_URL" in wrong.stderr
