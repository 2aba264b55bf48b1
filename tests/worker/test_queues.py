"""Which queue is served first, and how much is claimed ahead."""

from tests.until import holds, until
from tests.worker.mill import Mill


def test_queues_are_served_in_their_order_and_none_starves(mill: Mill) -> None:
    low = mill.submit_many("nap", [(mill.file, 0.0)] * 3, queue="low")
    high = mill.submit_many("nap", [(mill.file, 0.01)] * 400, queue="high")
    with mill.worker(queues="high,low", concurrency=2, prefetch=0):
        for id in (*low, *high):
            mill.wait(id, timeout_s=30)
    order = [note.job for note in mill.notes("begin")]
    places = [order.index(id) for id in low]
    assert min(places) >= 8  # the first claims are the first queue's
    assert max(places) < 350  # but not all of them


def test_a_busy_worker_leaves_to_an_idle_one_what_it_has_claimed_ahead(mill: Mill) -> None:
    with mill.worker(concurrency=2, prefetch=4) as busy:
        mill.submit_many("nap", [(mill.file, 60.0)] * 2)
        mill.begun(2)
        ahead = mill.submit_many("nap", [(mill.file, 0.0)] * 4)
        until(lambda: [len(held) for held in mill.held().values()] == [6], 5, "they are claimed ahead")
        with mill.worker() as idle:
            pids = {mill.result(id, timeout_s=6) for id in ahead}
            assert pids <= set(idle.children)
            more = mill.submit_many("nap", [(mill.file, 0.0)] * 4)
            assert {mill.result(id, timeout_s=3) for id in more} <= set(idle.children)
            assert busy.children


def test_a_paused_queue_is_not_claimed_from(mill: Mill) -> None:
    mill.client.sadd("mp:paused", "default")
    with mill.worker(queues="default,other"):
        id = mill.submit("echo", 1)
        assert mill.result(mill.submit("echo", 2, queue="other")) == 2
        holds(lambda: mill.state(id) == "queued", 1.2, "it was claimed")
        mill.client.srem("mp:paused", "default")
        assert mill.result(id, timeout_s=3) == 1
