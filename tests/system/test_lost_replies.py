"""Redis does what it is asked and nobody hears of it: nothing is lost or doubled, and nothing waits over 3 s (issue 2, 5)."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pace import within
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.system.ledger import by_job
from tests.system.site import Site, Toil
from tests.until import until

ROUNDS, FULL_ROUNDS = 8, 200  # lost replies of each kind
LONGEST_S = 3.0
LOST = ("submit", "claim", "finish")


@pytest.fixture(scope="module")
def proxy(redis_server: RedisServer) -> Iterator[RedisProxy]:
    with RedisProxy(redis_server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def site(folder: Path, redis_server_url: str, proxy: RedisProxy) -> Iterator[Site]:
    with Site(folder, proxy.url, f"sqlite:///{folder}/record.db") as site:
        yield site.start(workers=2)


def over(load: Toil, lost_at: float) -> bool:
    """Whether every request begun before that moment is answered, and every job accepted before it has begun."""
    begun = {stint.job for stint in load.ledger.stints()}
    return not load.unanswered(lost_at) and all(one.id in begun for one in load.sent() if one.answered < lost_at)


@pytest.mark.timeout(900)
def test_lost_replies(site: Site, proxy: RedisProxy, full: bool) -> None:
    dropped = dict.fromkeys(LOST, 0)
    with site.toil(0.05, threads=6, pace_s=0.1) as load:
        until(lambda: len(load.sent()) > 20, 20, "the load runs")
        for number in range(FULL_ROUNDS if full else ROUNDS):
            rules = [proxy.swallow(name, mode="close" if number % 2 else "silent") for name in LOST]
            until(lambda rules=rules: all(rule.dropped for rule in rules), 20, "a reply of each kind is lost")  # type: ignore[misc]
            lost_at = time.monotonic()
            until(lambda at=lost_at: over(load, at), 10, "what was hit goes on")  # type: ignore[misc]  # so that nothing is hit twice
            for rule in rules:
                dropped[rule.name] += rule.dropped
        load.finish()
        load.settle()
    verdict = load.judge()
    began = {job: stints[0].began for job, stints in by_job(load.ledger.stints()).items()}
    answer_s = max(one.seconds for one in load.sent())
    begin_s = max(began[one.id] - one.answered for one in load.sent())
    print(f"lost replies {dropped}; the longest wait for an answer {answer_s:.2f} s, for the start after it {begin_s:.2f} s")
    assert verdict.reruns == 0
    assert max(answer_s, begin_s) < within(LONGEST_S)
