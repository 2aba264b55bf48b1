"""Rule 14. Subscribe, then read, then wait; finish tells only who waits; pub/sub only hastens."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic

from millpond import keys, moves
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.millpond.scripts.pond import Pond
from tests.pace import within
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill


def test_finish_tells_the_channels_that_the_hash_names_and_no_other(pond: Pond) -> None:
    watched, alone = pond.submit(2)
    listener = pond.client.pubsub()
    listener.psubscribe("mp:ended:*")
    until(lambda: listener.get_message(), 5, "subscribed")
    pond.run(moves.listen(watched, "mp:ended:a"))
    child = pond.hire()
    for job in child.work():
        child.end(job)
    message = until(lambda: listener.get_message(), 5, "somebody was told")
    assert (message["channel"], message["data"]) == (b"mp:ended:a", watched.encode())
    assert listener.get_message(timeout=0.2) is None, f"{alone} was waited for by nobody"
    listener.close()


def test_a_job_that_ends_while_it_is_read_is_not_waited_for(redis_server: RedisServer, redis_url: str, tmp_path: Path) -> None:
    hand = Hand(redis_url)
    hand.offer()
    with RedisProxy(redis_server.port) as proxy, Replica(tmp_path, proxy.url, f"sqlite:///{tmp_path}/api.db", classic="off") as api:
        id = api.submit({"task": "add", "args": [1]}).json()["id"]
        (job,) = hand.begin()
        held = proxy.hold("listen")
        with ThreadPoolExecutor(1) as thread:
            call = thread.submit(lambda: api.http.get(f"/v1/jobs/{id}?wait=9"))
            assert held.caught.wait(5)
            hand.finish(job, result=7)
            ended = monotonic()
            held.release()
            assert call.result(10).json()["result"] == 7
        assert monotonic() - ended < within(3)


def test_a_wish_is_told_by_compare(mill: Mill) -> None:
    with mill.worker():
        id = mill.submit("spin", mill.file, 60.0)
        mill.begun(1)
        mill.client.hset(keys.job(id), "wish", "cancel")  # no message goes with it
        mill.wait(id, "canceled", timeout_s=5)
