"""Fuzzed bodies: accepted or refused with a 4xx, never a 5xx, never a cut connection; what is refused is not stored."""

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

from millpond import keys
from tests.api.fuzz import bodies
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.processes import children

FULL_BODIES, BODIES, LINES = 100_000, 2_000, 8


@pytest.mark.timeout(1200)
def test_fuzzed_bodies_are_refused_or_stored_and_nothing_else(api: Replica, hand: Hand, full: bool) -> None:
    count = FULL_BODIES if full else BODIES
    asyncio.run(_send(api, 0, count // 10))  # what a replica needs once, it has after this
    before = memory_mb(api)
    seen: Counter[tuple[int, str]] = Counter()
    stored = hand.client.scard(keys.OPEN)
    for seed in range(1, 11):
        seen += asyncio.run(_send(api, seed, count // 10))
    grown = memory_mb(api) - before
    accepted = sum(times for (status, _), times in seen.items() if status == 202)
    print(f"{count} fuzzed bodies: {accepted} accepted, {grown:+.1f} MB; {dict(seen)}")
    assert {status for status, _ in seen} <= {202, 400, 413, 415, 422}
    assert all(code for status, code in seen if status != 202)
    assert hand.client.scard(keys.OPEN) == stored + accepted
    assert 0.02 < accepted / count < 0.6  # or the fuzzer has become too wild, or too tame
    assert grown < 20
    assert not [line for line in api.lines() if line["level"] in ("error", "critical")]


async def _send(api: Replica, seed: int, count: int) -> Counter[tuple[int, str]]:
    """Submit them over some keep-alive connections; how often each answer came, by status and code."""
    source = bodies(seed, count)
    seen: Counter[tuple[int, str]] = Counter()

    async def line() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        for body in source:
            head = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head + body)
            first, *rest = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
            length = next(int(field[15:]) for field in rest if field.startswith(b"content-length:"))
            document = json.loads(await reader.readexactly(length))
            seen[int(first.split()[1]), document.get("code", "")] += 1
            if b"connection: close" in rest:  # as it must be after what is too large
                assert first.split()[1] == b"413"
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.close()

    await asyncio.gather(*(line() for _ in range(LINES)))
    return seen


def memory_mb(api: Replica) -> float:
    """What the replica's processes hold in memory."""
    return sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in (api.pid, *children(api.pid))) * 4096 / 1e6
