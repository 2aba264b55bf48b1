"""Group commit itself: what leaves together, what is refused, who hears of an error."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from api.lane import BATCH_BYTES, BESIDE, WAITING_BYTES, Lane
from millpond.errors import NotDone

MEGABYTE = 1 << 20


class Noted:
    """An exchange that answers each item with itself, and notes the batches."""

    def __init__(self, error: Exception | None = None) -> None:
        self.batches: list[list[int]] = []
        self.error = error

    async def __call__(self, connection: Any, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        if self.error:
            raise self.error
        return items


async def test_what_waits_leaves_together_in_order(redis_url: str) -> None:
    noted = Noted()
    lane = Lane(redis_url, noted, 100)
    assert await asyncio.gather(*map(lane.ask, range(64))) == list(range(64))
    assert await lane.ask(64) == 64
    assert noted.batches == [list(range(64)), [64]]
    await lane.close()


async def test_a_batch_is_bounded_by_count_and_by_bytes(redis_url: str) -> None:
    counted, weighed = Noted(), Noted()
    few, light = Lane(redis_url, counted, 10), Lane(redis_url, weighed, 100)
    await asyncio.gather(*map(few.ask, range(25)))
    assert list(map(len, counted.batches)) == [10, 10, 5]
    await asyncio.gather(*(light.ask(number, MEGABYTE) for number in range(10)), light.ask(10, 2 * BATCH_BYTES))
    assert list(map(len, weighed.batches)) == [4, 4, 2, 1]
    await few.close()
    await light.close()


async def test_more_than_may_wait_is_refused_as_not_done(redis_url: str) -> None:
    noted = Noted()
    lane = Lane(redis_url, noted, 100)
    with pytest.raises(NotDone):
        await lane.ask(1, WAITING_BYTES + 1)
    answers = await asyncio.gather(*(lane.ask(number, MEGABYTE) for number in range(80)), return_exceptions=True)
    assert [isinstance(answer, NotDone) for answer in answers] == [number >= 64 for number in range(80)]
    assert await lane.ask(1, MEGABYTE) == 1
    await lane.close()


async def test_an_unforeseen_error_is_heard_by_all_and_ends_nothing(redis_url: str) -> None:
    noted = Noted(ValueError("nobody foresaw it"))
    lane = Lane(redis_url, noted, 100)
    answers = await asyncio.gather(*map(lane.ask, range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError] * 3
    noted.error = None
    assert await lane.ask(3) == 3
    await lane.close()


async def test_who_left_before_it_was_sent_is_not_sent(redis_url: str) -> None:
    noted = Noted()
    lane = Lane(redis_url, noted, 100)
    asked = [asyncio.create_task(lane.ask(number)) for number in range(3)]
    await asyncio.wait(asked, timeout=0)  # all have asked, and the lane's first connection takes longer than one turn of the loop
    asked[1].cancel()
    assert await asked[0] == 0
    assert await asked[2] == 2
    assert noted.batches == [[0, 2]]
    await lane.close()


class Held(Noted):
    """An exchange whose answers come when `go` is set; `left` says that a batch is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, connection: Any, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        self.left.set()
        await self.go.wait()
        return items


async def test_beside_a_batch_under_way_another_leaves_when_it_is_worth_it(redis_url: str) -> None:
    held = Held()
    lane = Lane(redis_url, held, 100, abreast=2)
    first = asyncio.create_task(lane.ask(0))
    await held.left.wait()
    held.left.clear()
    few = [asyncio.create_task(lane.ask(number)) for number in range(1, BESIDE)]
    await asyncio.wait(few, timeout=0.1)
    assert held.batches == [[0]], "few wait for the batch that is under way"
    last = asyncio.create_task(lane.ask(BESIDE))
    await held.left.wait()
    held.go.set()
    await asyncio.gather(first, *few, last)
    assert held.batches == [[0], list(range(1, BESIDE + 1))]
    await lane.close()


async def test_many_are_shared_out_between_batches_abreast(redis_url: str) -> None:
    noted = Noted()
    lane = Lane(redis_url, noted, 100, abreast=2)
    assert await asyncio.gather(*map(lane.ask, range(64))) == list(range(64))
    assert sorted(number for batch in noted.batches for number in batch) == list(range(64))
    assert list(map(len, noted.batches)) == [32, BESIDE, 64 - 32 - BESIDE], "the half of what there is, and not less than is worth it"
    await lane.close()
