"""Counted at a proxy before Redis: what a submission costs (DESIGN, must-show 12)."""

import asyncio

import httpx2

from millpond import keys
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.proxy import RedisProxy


def test_one_submission_alone_is_one_round_trip(proxy: RedisProxy, proxied: Replica) -> None:
    before, connections = proxy.turns["submit"], proxy.accepted
    for number in range(20):
        assert proxied.submit({"task": "add", "args": [number]}).status_code == 202
    assert proxy.turns["submit"] - before == proxy.counts["submit"] - before == 20
    assert proxy.accepted == connections


async def _submit_together(url: str, clients: int, each: int) -> None:
    limits = httpx2.Limits(max_connections=clients, max_keepalive_connections=clients)

    async def one(http: httpx2.AsyncClient, number: int) -> None:
        for turn in range(each):
            answer = await http.post("/v1/jobs", json={"task": "add", "args": [number, turn]})
            assert answer.status_code == 202, answer.text

    async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=20) as http:
        await asyncio.gather(*(one(http, number) for number in range(clients)))


def test_64_clients_at_once_share_their_round_trips(proxy: RedisProxy, proxied: Replica, hand: Hand) -> None:
    before, connections = proxy.turns["submit"], proxy.accepted
    asyncio.run(_submit_together(proxied.url, 64, 20))
    jobs = hand.client.llen(keys.queue("default"))
    turns = proxy.turns["submit"] - before
    print(f"{turns} round trips for {jobs} jobs of 64 clients: {turns / jobs:.3f} a job")
    assert jobs == 64 * 20
    assert turns <= 0.25 * jobs
    assert proxy.accepted == connections


def test_reading_a_job_is_one_round_trip(proxy: RedisProxy, proxied: Replica) -> None:
    id = proxied.submit({"task": "add", "args": [1]}).json()["id"]
    proxied.job(id)
    before = proxy.turns["listen"]
    for _ in range(10):
        proxied.job(id)
    assert proxy.turns["listen"] - before == 10
