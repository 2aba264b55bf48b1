"""set_free: queues what RQ's producers put to wait for other jobs, once it waits for none."""

import pytest
from rq import Queue
from rq.job import Dependency
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer

from millpond import moves
from tests.millpond.scripts.pond import Pond


@pytest.fixture
def queue(pond: Pond) -> Queue:
    return Queue("default", connection=pond.client, serializer=JSONSerializer)


def set_free(pond: Pond, at: int = 0, limit: int = 500) -> tuple[int, int]:
    return pond.run(moves.set_free(at, limit))


def end(pond: Pond, status: str) -> None:
    """End what waits first."""
    child = pond.hire()
    child.end(child.work(1)[0], status)


def test_what_waits_for_a_job_of_the_api_is_queued_when_that_has_finished(pond: Pond, queue: Queue) -> None:
    (id,) = pond.submit()
    waiting = queue.enqueue("echo", depends_on=id)
    assert set_free(pond) == (0, 0)
    end(pond, "finished")
    assert set_free(pond) == (0, 1)
    assert pond.queued() == [waiting.id]
    assert (waiting.get_status(), queue.deferred_job_registry.get_job_ids()) == ("queued", [])
    assert waiting.enqueued_at is None
    again, first = (RqJob.fetch(one, connection=pond.client, serializer=JSONSerializer) for one in (waiting.id, id))
    assert again.enqueued_at
    assert first.dependent_ids == []
    before = pond.dump("mp:alive:w1")
    assert set_free(pond) == (0, 0)
    assert pond.dump("mp:alive:w1") == before


@pytest.mark.parametrize(
    ("status", "allowed", "freed"),
    [("failed", False, 0), ("failed", True, 1), ("canceled", True, 0), ("stopped", True, 0), ("expired", True, 0), ("finished", True, 1)],
)
def test_how_what_it_waits_for_must_have_ended(pond: Pond, queue: Queue, status: str, allowed: bool, freed: int) -> None:
    (id,) = pond.submit()
    queue.enqueue("echo", depends_on=Dependency([id], allow_failure=allowed))
    end(pond, status)
    assert set_free(pond) == (0, freed)


def test_it_waits_for_all_and_what_is_gone_tells_nothing(pond: Pond, queue: Queue) -> None:
    first, second = pond.submit(2)
    both, one = queue.enqueue("echo", depends_on=[first, second]), queue.enqueue("echo", depends_on=[first])
    pond.ask("DEL", f"rq:job:{first}")
    assert set_free(pond) == (0, 0)
    end(pond, "finished")
    assert set_free(pond) == (0, 1)
    assert [both.get_status(), one.get_status()] == ["queued", "deferred"]


def test_at_the_front_of_its_own_queue(pond: Pond, queue: Queue) -> None:
    (id,) = pond.submit()
    other = Queue("other", connection=pond.client, serializer=JSONSerializer)
    pond.submit(queue="other")
    waiting = other.enqueue("echo", depends_on=Dependency([id], enqueue_at_front=True))
    end(pond, "finished")
    assert set_free(pond) == (0, 1)
    assert pond.queued("other")[0] == waiting.id


def test_slices_make_one_pass(pond: Pond, queue: Queue) -> None:
    first, second = pond.submit(2)
    waiting = [queue.enqueue("echo", depends_on=id) for id in (second, first, second, first, second)]
    pond.ask("ZADD", "rq:deferred:default", *(word for rank, job in enumerate(waiting) for word in (rank, job.id)))
    end(pond, "finished")
    assert set_free(pond, 0, 2) == (1, 1)
    assert set_free(pond, 1, 2) == (2, 1)
    assert set_free(pond, 2, 2) == (0, 0)
    assert [job.get_status() for job in waiting] == ["deferred", "queued", "deferred", "queued", "deferred"]


def test_what_rq_has_canceled_or_made_ready_is_left_alone(pond: Pond, queue: Queue) -> None:
    (id,) = pond.submit()
    ready, canceled = [queue.enqueue("echo", depends_on=id) for _ in range(2)]
    pond.ask("HSET", ready.key, "status", "ready_to_enqueue")
    canceled.cancel()
    end(pond, "finished")
    assert set_free(pond) == (0, 0)
