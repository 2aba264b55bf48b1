"""The server that the wheel brings is started as fast as it can be."""

from pathlib import Path

from tests.servers import RedisServer


def test_its_malloc_keeps_what_a_script_frees(redis_server: RedisServer) -> None:
    # Linux shows it; elsewhere there is no glibc.
    told = Path(f"/proc/{redis_server.pid}/environ")
    assert not told.exists() or b"glibc.malloc.tcache_count=" in told.read_bytes()
    with redis_server.client() as client:
        assert client.info("server")["process_id"] == redis_server.pid
