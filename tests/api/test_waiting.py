"""?wait and Prefer: wait."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from api.calls import Reads
from api.lookup import Lookup
from api.records import Records
from api.waiters import Waiters
from api.watch import Watch
from millpond import keys, moves
from millpond.broker import run
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.millpond.scripts.pond import submission
from tests.pace import within
from tests.proxy import RedisProxy
from tests.until import until

Call = Callable[[], httpx2.Response]


class Later:
    """A call under way in a thread."""

    def __init__(self, call: Call) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._begun = time.monotonic()
        self._answer = self._pool.submit(self._timed, call)

    def _timed(self, call: Call) -> tuple[httpx2.Response, float]:
        answer = call()
        return answer, time.monotonic()

    def result(self) -> tuple[httpx2.Response, float]:
        """The answer, and when it came (monotonic)."""
        try:
            return self._answer.result(20)
        finally:
            self._pool.shutdown()


def waited_for(hand: Hand, id: str) -> bool:
    return bool(hand.client.hexists(keys.job(id), "waiters"))


def test_rule_14_wait_answers_as_the_job_ends(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    call = Later(lambda: api.http.get(f"/v1/jobs/{id}?wait=9"))
    until(lambda: waited_for(hand, id), 5)
    (held,) = hand.begin()
    ended = time.monotonic()
    hand.finish(held, result=2)
    answer, came = call.result()
    assert (answer.status_code, answer.json()["result"]) == (200, 2)
    assert came - ended < 0.8  # told, not found at the next look


def test_wait_that_is_over_answers_the_job_as_it_is(api: Replica) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    begun = time.monotonic()
    answer = api.http.get(f"/v1/jobs/{id}?wait=0.4")
    assert (answer.status_code, answer.json()["status"]) == (200, "queued")
    assert 0.4 <= time.monotonic() - begun < within(2)


def test_prefer_wait_submits_and_waits(api: Replica, hand: Hand) -> None:
    body = {"task": "add", "args": [1]}
    call = Later(lambda: api.submit(body, prefer="respond-async, wait=9"))
    until(lambda: hand.client.llen(keys.queue("default")), 5)
    hand.finish(*hand.begin(), result=2)
    answer, _ = call.result()
    assert (answer.status_code, answer.json()["result"], answer.headers["Preference-Applied"]) == (200, 2, "wait=9")
    assert "Retry-After" not in answer.headers
    answer = api.submit(body, prefer="wait=1")
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    assert answer.headers["Vary"] == "Prefer"
    assert "Preference-Applied" not in api.submit(body, prefer="return=minimal, wait=x").headers
    assert api.submit(body, prefer="respond-async").headers["Preference-Applied"] == "respond-async"
    both = api.submit(body, prefer="wait=0, respond-async")
    assert (both.status_code, both.headers["Preference-Applied"]) == (202, "respond-async, wait=0")


def test_a_submission_that_waits_reads_its_job_when_it_has_ended(proxied: Replica, proxy: RedisProxy, hand: Hand) -> None:
    before = proxy.counts["listen"]
    call = Later(lambda: proxied.submit({"task": "add", "args": [1]}, prefer="wait=9"))
    until(lambda: hand.client.llen(keys.queue("default")), 5)
    (held,) = hand.begin()
    assert waited_for(hand, held.id), "from its first moment on"
    assert proxy.counts["listen"] == before, "there is nothing to look for"
    hand.finish(held, result=2)
    answer, _ = call.result()
    assert (answer.status_code, answer.json()["result"]) == (200, 2)
    assert 1 <= proxy.counts["listen"] - before <= 2, "once, and once more where the sweep comes by in that moment"


def test_an_end_that_is_told_before_its_waiter_comes_is_not_missed(redis_url: str, hand: Hand, shared_database: str) -> None:
    """The message and the answer to the submission come on different connections."""
    asyncio.run(told_early(redis_url, hand, shared_database))


async def told_early(redis_url: str, hand: Hand, database_url: str) -> None:
    reads, records = Reads(redis_url), Records(database_url)
    waiters = Waiters(redis_url, "early", Lookup(reads, records))
    waiters.start()
    try:
        one = submission(fields={"waiters": waiters.channel})
        await asyncio.to_thread(until, lambda: waiters.channel.encode() in hand.client.pubsub_channels(), 5, "it listens")
        await asyncio.to_thread(run, hand.client, moves.submit([one], 24))
        await asyncio.to_thread(lambda: hand.finish(*hand.begin(), result=3))
        await asyncio.to_thread(until, lambda: one.id in waiters._early, 5, "nobody waits yet")
        began = time.monotonic()
        job = await waiters.ended(one.id, 20, Watch(), told=True)
        assert (job.result, time.monotonic() - began < 0.9) == (3, True), "before the sweep comes by"
        assert not waiters._early
    finally:
        await waiters.close()
        await reads.close()
        records.close()


def test_wait_on_what_has_ended_or_is_not_there_answers_at_once(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    hand.finish(*hand.begin())
    begun = time.monotonic()
    assert api.http.get(f"/v1/jobs/{id}?wait=9").json()["status"] == "finished"
    assert api.http.get("/v1/jobs/nothing?wait=9").status_code == 404
    assert time.monotonic() - begun < within(2)


def test_a_client_that_leaves_frees_its_waiter(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    assert waiting(api) == 0
    with api.connect() as connection:
        connection.sendall(f"GET /v1/jobs/{id}?wait=60 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        until(lambda: waiting(api) == 1, 5)
    until(lambda: waiting(api) == 0, 3, "the waiter is gone with its client")


def waiting(api: Replica) -> float:
    text = api.http.get("/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith("millpond_waiting_requests ")]
    return float(line.split()[1])


@pytest.mark.parametrize("lost", ["publish", "connection"])
def test_rule_14_a_lost_message_delays_a_waiter_by_a_second_at_most(proxied: Replica, proxy: RedisProxy, hand: Hand, lost: str) -> None:
    id = proxied.submit({"task": "add", "args": [1]}).json()["id"]
    call = Later(lambda: proxied.http.get(f"/v1/jobs/{id}?wait=9"))
    until(lambda: waited_for(hand, id), 5)
    (held,) = hand.begin()
    if lost == "publish":
        hand.client.hdel(keys.job(id), "waiters")  # so that nobody is told
    else:
        proxy.cut()
    ended = time.monotonic()
    hand.finish(held, result=2)
    answer, came = call.result()
    assert answer.json()["result"] == 2
    assert came - ended < within(2.5)


def test_a_job_that_goes_while_somebody_waits_is_404(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    call = Later(lambda: api.http.get(f"/v1/jobs/{id}?wait=9"))
    until(lambda: waited_for(hand, id), 5)
    hand.forget(id)
    answer, _ = call.result()
    assert answer.status_code == 404


def test_many_wait_at_once(api: Replica, hand: Hand) -> None:
    ids = [api.submit({"task": "add", "args": [number]}).json()["id"] for number in range(20)]
    barrier = threading.Barrier(21)

    def wait(id: str) -> httpx2.Response:
        with httpx2.Client(base_url=api.url, timeout=20) as http:
            barrier.wait(10)
            return http.get(f"/v1/jobs/{id}?wait=15")

    calls = [Later(lambda id=id: wait(id)) for id in ids]  # type: ignore[misc]
    barrier.wait(10)
    until(lambda: all(waited_for(hand, id) for id in ids), 5)
    hand.finish(*hand.begin(20), result="x")
    assert [call.result()[0].json()["result"] for call in calls] == ["x"] * 20


def test_waiting_ends_also_for_a_cancel(api: Replica, hand: Hand) -> None:
    id = api.submit({"task": "add", "args": [1]}).json()["id"]
    call = Later(lambda: api.http.get(f"/v1/jobs/{id}?wait=9"))
    until(lambda: waited_for(hand, id), 5)
    assert run(hand.client, moves.cancel(id)).answer == "ok"
    assert call.result()[0].json()["status"] == "canceled"
