"""GET /v1/stats: one look at the whole."""

from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.until import until

BODY = {"task": "echo", "args": ["x"]}


def test_stats_tell_the_whole(api: Replica, hand: Hand) -> None:
    for more in ({}, {}, {}, {"queue": "other"}, {"delay_s": 60}):
        assert api.submit({**BODY, **more}).status_code == 202
    first, second = hand.begin(2)
    hand.finish(first)
    hand.fail(second)
    until(lambda: api.http.get("/v1/stats").json()["failed"] == 1, 3, "figures are at most a second old")
    stats = api.http.get("/v1/stats").json()
    assert {name: stats[name] for name in ("queued", "started", "scheduled", "failed", "open")} == {
        "queued": 2,
        "started": 0,
        "scheduled": 1,
        "failed": 1,
        "open": 5,
    }
    assert 0 <= stats["oldest_s"] < 60
    assert (stats["submitted_per_s"], stats["ended_per_s"]) == (round(5 / 60, 3), round(2 / 60, 3))
    assert stats["workers"] == {"registered": 1, "alive": 1, "jobs": 0}
    assert stats["redis"]["used_bytes"] > 100_000
    assert (stats["redis"]["max_bytes"], stats["redis"]["full_at"]) == (None, 0.7)
    assert stats["intake"] == {"open": True, "reason": None, "full_queues": []}


def test_an_empty_redis_has_stats_too(api: Replica) -> None:
    stats = until(lambda: _empty(api), 3)
    assert (stats["queued"], stats["oldest_s"], stats["submitted_per_s"], stats["ended_per_s"]) == (0, None, 0, 0)


def _empty(api: Replica) -> dict[str, object]:
    stats: dict[str, object] = api.http.get("/v1/stats").json()
    return stats if stats["open"] == 0 else {}


def test_broken_keys_do_not_hide_the_rest(api: Replica, hand: Hand) -> None:
    for key in ("mp:owners", "mp:bytes", "mp:accepted", "mp:open"):
        hand.client.set(key, "text")
    assert api.http.get("/v1/stats").status_code == 200
    hand.client.delete("mp:open")
    assert api.submit(BODY).status_code == 202
