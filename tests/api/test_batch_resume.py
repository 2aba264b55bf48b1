"""Must show 6: an upload that is cut, repeated, doubled, or whose replies are lost: every line exactly once."""

import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from millpond import keys
from tests.api.at_once import at_once
from tests.api.batch import begin, line, lines_taken, numbers, read, upload
from tests.api.hand import Hand
from tests.api.replica import Replica
from tests.processes import children
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import until

RSS_MB = 150


@pytest.fixture
def pair(api: Replica, shared_database: str, tmp_path: Path) -> Iterator[tuple[Replica, Replica]]:
    """The shared replica and another one on the same Redis."""
    with Replica(tmp_path, api.env["MILLPOND_REDIS_URL"], shared_database) as other:
        yield api, other


def peak_rss_mb(replica: Replica) -> float:
    """The most memory that the serving process ever had."""
    (worker,) = children(replica.pid)
    status = Path(f"/proc/{worker}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def send_half(replica: Replica, hand: Hand, body: bytes, key: str) -> None:
    """Upload half of a body, until some of it is accepted, and leave."""
    before = lines_taken(hand)
    with begin(replica, len(body), key) as connection:
        connection.sendall(body[: len(body) // 2])
        until(lambda: lines_taken(hand) > before, 30, "the first lines are accepted")


def upload_at_once(replicas: tuple[Replica, ...], body: bytes, key: str) -> list[int]:
    return [answer.status_code for answer in at_once([partial(upload, replica, body, key) for replica in replicas])]


@pytest.mark.timeout(1800)
def test_must_show_6(pair: tuple[Replica, Replica], hand: Hand, full: bool) -> None:
    """Cut off half way, sent again, and by two at once: every line exactly once, and memory flat."""
    count = 1_000_000 if full else 20_000
    body = b"".join(map(line, range(1, count + 1)))
    one, other = pair
    send_half(other, hand, body, "half")
    answers = [upload(one, body, "half").json()]
    assert upload_at_once(pair, body, "half") == [202, 202]
    assert numbers(hand) == list(range(1, count + 1))
    hand.client.flushall()
    hand.offer()
    assert upload_at_once(pair, body, "twice") == [202, 202]
    answers.append(upload(one, body, "twice").json())
    assert numbers(hand) == list(range(1, count + 1))
    assert [(batch["accepted"], batch["rejected"], batch["complete"]) for batch in answers] == [(count, 0, True)] * 2
    most = max(map(peak_rss_mb, pair))
    print(f"{count} lines, cut, repeated and twice at once: each once; at most {most:.0f} MB")
    assert most < RSS_MB


def test_a_complete_upload_is_replayed(api: Replica, hand: Hand) -> None:
    body = b"".join(map(line, range(700))) + b"{}\n"
    first, again = upload(api, body, "k"), upload(api, body, "k")
    assert "Idempotency-Replayed" not in first.headers
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert again.json() == first.json()
    assert lines_taken(hand) == 700


@pytest.mark.parametrize("other", [
    b"".join(map(line, range(1, 701))),
    b"".join(map(line, range(699))),
    b"".join(map(line, range(701))),
    b"".join(map(line, range(700)))[:-2] + b"\n",
    b"",
], ids=["changed", "shorter", "longer", "changed at its end", "empty"])  # fmt: skip
def test_another_body_under_the_key_is_refused(api: Replica, hand: Hand, other: bytes) -> None:
    batch = upload(api, b"".join(map(line, range(700))), "k").json()
    answer = upload(api, other, "k")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer.json()["batch"]["id"] == batch["id"]
    assert lines_taken(hand) == 700


def test_a_line_that_was_refused_stays_so(api: Replica, hand: Hand) -> None:
    """What an earlier upload consumed is judged once, also where it would be accepted by now."""
    body = b'{"task":"later","args":[]}\n' + b"".join(map(line, range(2, 2402)))
    send_half(api, hand, body, "k")
    until(lambda: lines_taken(hand), 10)
    entry = hand.client.hget(keys.CATALOGUE, "add")
    assert isinstance(entry, bytes)
    hand.client.hset(keys.CATALOGUE, "later", entry.replace(b'"name":"add"', b'"name":"later"'))
    hand.client.incr(keys.CATALOGUE_DIGEST)
    batch = upload(api, body, "k").json()
    assert (batch["accepted"], batch["rejected"], batch["problems"][0]["code"]) == (2400, 1, "unknown_task")


def test_lost_replies_cost_nothing(proxied: Replica, proxy: RedisProxy, hand: Hand) -> None:
    """An append whose reply was lost is settled by the counter (rule 9)."""
    before = lines_taken(hand)
    begins, appends = proxy.swallow("begin", 1, "close"), proxy.swallow("append", 4, "close", nth=2)
    answer = upload(proxied, b"".join(map(line, range(1, 3001))), "lost")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 3000), answer.text
    assert (begins.dropped, appends.dropped) == (1, 4)
    assert lines_taken(hand) - before == 3000
    assert [number for number in numbers(hand) if number] == list(range(1, 3001))


def test_a_batch_of_10000_lines_is_100_round_trips_at_most(proxied: Replica, proxy: RedisProxy) -> None:
    before = proxy.turns.copy()
    assert upload(proxied, b"".join(map(line, range(10_000)))).json()["accepted"] == 10_000
    turns = proxy.turns - before
    print(f"{turns.total()} round trips for 10,000 lines: {dict(turns)}")
    assert turns.total() <= 0.01 * 10_000


def test_a_killed_replica_costs_nothing(pair: tuple[Replica, Replica], hand: Hand) -> None:
    one, other = pair
    body = b"".join(map(line, range(1, 5001)))
    with begin(other, len(body), "killed") as connection:
        connection.sendall(body[: len(body) // 2])
        until(lambda: lines_taken(hand) > 500, 30)
        for pid in children(other.pid):
            os.kill(pid, signal.SIGKILL)
    assert upload(one, body, "killed").json()["accepted"] == 5000
    assert numbers(hand) == list(range(1, 5001))


def test_a_drain_ends_an_upload_at_a_line_and_says_so(pair: tuple[Replica, Replica], hand: Hand) -> None:
    one, other = pair
    body = b"".join(map(line, range(1, 5001)))
    with begin(other, len(body), "drained") as connection:
        connection.sendall(body[: len(body) // 2])
        until(lambda: lines_taken(hand) > 500, 30)
        other.signal(signal.SIGTERM)
        answer = connection.recv(65536)
    head, _, said = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b'"code":"draining"' in said
    assert b'"lines":%d,"accepted":%d,' % (lines_taken(hand), lines_taken(hand)) in said
    assert other.wait(30) == 0
    assert upload(one, body, "drained").json()["accepted"] == 5000
    assert numbers(hand) == list(range(1, 5001))


def test_a_redis_that_stands_still_is_waited_for(tmp_path: Path, shared_database: str) -> None:
    with RedisServer(tmp_path / "redis") as server, Replica(tmp_path, server.url, shared_database) as replica:
        hand = Hand(server.url)
        hand.offer()
        body = b"".join(map(line, range(1, 8001)))
        sender = threading.Thread(target=upload, args=(replica, body, "still"))
        sender.start()
        until(lambda: lines_taken(hand), 10)
        server.pause()
        replica.http.get("/livez").raise_for_status()
        server.resume()
        server.restart()
        sender.join(60)
        batch = upload(replica, body, "still").json()
        assert (batch["accepted"], batch["complete"]) == (8000, True)
        assert numbers(hand) == list(range(1, 8001))
        assert [one["line"] for one in read(replica, f"/v1/batches/{batch['id']}/lines")] == list(range(1, 8001))


def test_a_limit_is_filled_and_the_rest_comes_later(tmp_path: Path, api: Replica, hand: Hand, shared_database: str) -> None:
    body = b"".join(map(line, range(1, 1501)))
    with Replica(tmp_path, api.env["MILLPOND_REDIS_URL"], shared_database, queue_max_jobs=700) as replica:
        answer = upload(replica, body, "k")
        assert (answer.status_code, answer.json()["code"], answer.json()["batch"]["accepted"]) == (503, "queue_full", 700)
        assert int(answer.headers["Retry-After"]) > 0
        hand.finish(*hand.begin(300))
        answer = upload(replica, body, "k")
        assert (answer.status_code, answer.json()["batch"]["lines"]) == (503, 1000)
        hand.finish(*hand.begin(700))
        assert upload(replica, body, "k").json()["accepted"] == 1500
    assert numbers(hand) == list(range(1001, 1501))
