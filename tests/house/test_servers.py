"""The test servers themselves: what was answered survives a kill, and nothing outlives the run."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.processes import ROOT, exists
from tests.servers import PostgresServer, RedisServer
from tests.until import holds, until


def test_redis_keeps_what_it_answered_through_a_kill(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, server.client() as client:
        client.set("kept", "yes")
        server.restart()
        assert client.get("kept") == b"yes"
        config = client.config_get("append*", "maxmemory-policy")
        assert (config["appendonly"], config["appendfsync"], config["maxmemory-policy"]) == ("yes", "always", "noeviction")


def test_a_paused_redis_answers_after_it_was_resumed(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        client = redis.Redis.from_url(server.url, socket_timeout=0.2)
        server.pause()
        with pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
        server.resume()
        assert server.ready()
        client.close()


def test_redis_url_is_empty(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")


def test_redis_url_is_empty_again(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_postgres_survives_kill_and_stop(server_folder: Path) -> None:
    with PostgresServer(server_folder / "killed") as server:
        url = server.fresh_database()
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE kept (id int)")
        server.restart()
        server.stop()
        server.start()
        with psycopg.connect(url) as connection:
            connection.execute("SELECT * FROM kept")
            assert connection.execute("SHOW fsync").fetchone() == ("on",)


def test_servers_end_with_a_killed_test_run(tmp_path: Path) -> None:
    script = "import sys; from pathlib import Path; from tests.servers import RedisServer\n"
    script += "print(RedisServer(Path(sys.argv[1])).start().pid, flush=True); input()"
    run = subprocess.Popen([sys.executable, "-c", script, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert run.stdout
    pid = int(run.stdout.readline())
    assert exists(pid)
    run.kill()
    run.communicate()
    until(lambda: not exists(pid), 5, "the server ended with its test run")


def test_until_says_what_it_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"the moon.*last: 0"):
        until(lambda: 0, 0.05, "the moon")
    with pytest.raises(AssertionError, match="the sun"):
        holds(lambda: False, 0.05, "the sun")
