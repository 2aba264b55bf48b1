"""What a job costs, counted: round trips and connections. Its memory: tests/worker/test_memory.py."""

from time import monotonic

from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill

CONNECTIONS = 5  # parent: moves, commands; child: moves, waker, publisher


def trips(proxy: RedisProxy) -> int:
    """Round trips that jobs cause, and not time alone (heartbeats, comparisons, waits for a token that does not come)."""
    return sum(proxy.turns[name] for name in ("claim", "start", "finish", "hand_back"))


def test_one_job_at_a_time_costs_at_most_3_round_trips_and_no_connection(redis_server: RedisServer, mill: Mill) -> None:
    with RedisProxy(redis_server.port) as proxy, mill.worker(url=proxy.url):
        mill.result(mill.submit("echo", 0))
        until(lambda: proxy.accepted == CONNECTIONS, 10, "all its connections are made")
        before = trips(proxy)
        for number in range(30):
            until(lambda: mill.client.scard("mp:idle:default"), 5, "the child sleeps", every_s=0.001)
            mill.result(mill.submit("echo", number))
        # A token wakes it; then: claim; start, with the claim that finds nothing more; finish.
        assert trips(proxy) - before <= 30 * 3
        assert proxy.accepted == CONNECTIONS


def test_many_jobs_cost_a_fifth_of_a_round_trip_each(redis_server: RedisServer, mill: Mill) -> None:
    with RedisProxy(redis_server.port) as proxy:
        ids = mill.submit_many("noop", [()] * 2_000)
        with mill.worker(url=proxy.url):
            until(lambda: mill.client.zcard("rq:finished:default") == len(ids), 60, "all ran")
            assert trips(proxy) <= 0.2 * len(ids)
            assert proxy.accepted <= CONNECTIONS


def test_who_says_nothing_costs_nothing_and_lines_travel_together(redis_server: RedisServer, mill: Mill) -> None:
    with RedisProxy(redis_server.port) as proxy, mill.worker(url=proxy.url, concurrency=10):
        for id in mill.submit_many("noop", [()] * 200):
            mill.wait(id)
        assert proxy.counts["report"] == 0
        ids = mill.submit_many("chatter", [(100, 0.005)] * 10)
        began = monotonic()
        for id in ids:
            mill.wait(id)
        took_s = monotonic() - began
        assert 0 < proxy.counts["report"] <= took_s / 0.1 + 10, "ten writes a second, and one with each end"


def test_the_catalogue_is_published_at_once(mill: Mill) -> None:
    with mill.worker():
        until(lambda: mill.client.hexists("mp:catalogue", "nap"), 5, "the API can know its tasks")
