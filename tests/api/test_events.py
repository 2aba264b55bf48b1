"""GET /v1/jobs/{id}/events: what happens to a job, told once to each reader, by whichever replica it asks."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.events import accepts
from api.story import Place
from millpond import broker, codec, keys, moves
from millpond.store import Store
from tests.api.gauges import gauges
from tests.api.hand import Hand
from tests.api.listener import Listener
from tests.api.replica import Replica, receive
from tests.proxy import RedisProxy
from tests.until import until

BODY = {"task": "add", "args": [1]}


@pytest.fixture
def other(api: Replica, shared_database: str, tmp_path: Path) -> Iterator[Replica]:
    """A second replica, which says soon that it lives."""
    with Replica(tmp_path, api.env["MILLPOND_REDIS_URL"], shared_database, heartbeat_s=0.2) as other:
        until(other.is_ready, 5)
        yield other


def submitted(api: Replica) -> str:
    id: str = api.submit({**BODY, "retry": {"max_attempts": 5}}).json()["id"]
    return id


def report(hand: Hand, job: moves.Claimed, progress: object) -> None:
    assert broker.run(hand.client, moves.report([moves.Report(job.id, job.execution, codec.render(progress))])) == [True]


def fail_and_go_on(hand: Hand, job: moves.Claimed, message: str) -> None:
    """An attempt fails, and the next one is due."""
    body = codec.render({"error": {"code": "task_error", "message": message, "traceback": ""}})
    outcome = moves.Outcome(job.id, job.execution, "failed", "task_error", body, charged=True, retry_ms=0)
    assert broker.run(hand.client, moves.finish(hand.name, 1, [outcome])) == ["done"]
    assert broker.run(hand.client, moves.promote()) == 1


def heard(listener: Listener, *names: str) -> None:
    until(lambda: listener.names == list(names), 5, f"{names}, not {listener.names}")


def test_the_life_of_a_job(api: Replica, hand: Hand) -> None:
    id = submitted(api)
    with Listener(api, id) as listener:
        assert (listener.status, listener.headers["Content-Type"]) == (200, "text/event-stream")
        assert (listener.headers["Cache-Control"], listener.headers["X-Accel-Buffering"]) == ("no-store", "no")
        heard(listener, "queued")
        (job,) = hand.begin()
        heard(listener, "queued", "started")
        report(hand, job, {"part": 0.5})
        heard(listener, "queued", "started", "progress")
        hand.finish(job, result={"text": "a\nb\u2028"})
        heard(listener, "queued", "started", "progress", "end")
        assert listener.over.wait(5)
        assert listener.clean
        assert 1000 <= listener.retry_ms <= 3000
    versions = [int(event.id.split(".")[0]) for event in listener.events]
    assert versions == sorted(set(versions))
    assert listener.events[2].document["progress"] == {"part": 0.5}
    assert listener.events[3].document == api.job(id)
    assert until(lambda: gauges(api)["millpond_event_streams"] == 0, 5)


def test_what_was_missed_is_told_by_another_replica(api: Replica, other: Replica, hand: Hand) -> None:
    id = submitted(api)
    (job,) = hand.begin()
    with Listener(api, id) as listener:
        heard(listener, "started")
    fail_and_go_on(hand, job, "first")
    (job,) = hand.begin()
    fail_and_go_on(hand, job, "second")
    with Listener(other, id, listener.last) as listener:
        heard(listener, "attempt", "attempt", "queued")
        assert [event.document["error"]["message"] for event in listener.events[:2]] == ["first", "second"]
        assert [event.document["attempt"] for event in listener.events[:2]] == [1, 2]
    with Listener(api, id, listener.events[0].id) as listener:  # it had read one of three
        heard(listener, "attempt", "queued")
    with Listener(api, id, listener.last) as listener:  # it had read all
        (job,) = hand.begin()
        heard(listener, "started")
        fail_and_go_on(hand, job, "third")
        # The state between the two is told if it is seen.
        until(lambda: "attempt" in listener.names and listener.names[-1] == "queued", 5, "told while it listens")
        (attempt,) = (event for event in listener.events if event.name == "attempt")
        assert attempt.document["error"]["message"] == "third"


def test_what_only_the_record_knows_is_told_too(api: Replica, hand: Hand, store: Store) -> None:
    id = submitted(api)
    (job,) = hand.begin()
    fail_and_go_on(hand, job, "first")
    hand.collect(store)
    hand.finish(*hand.begin(), result=7)
    hand.collect(store)
    hand.forget(id)
    with Listener(api, id, "0") as listener:
        heard(listener, "attempt", "end")
        assert listener.over.wait(5)
    assert listener.events[1].document["result"] == 7
    with Listener(api, id) as late:
        heard(late, "end")
        assert late.over.wait(5)
    for last in (listener.last, late.last):
        with Listener(api, id, last) as satisfied:
            assert (satisfied.status, satisfied.headers["Content-Length"]) == (204, None)
    answer = api.http.get(f"/v1/jobs/{id}/events?last_event_id={late.last}")
    assert answer.status_code == 204


def test_another_run_goes_on_with_the_story(api: Replica, hand: Hand) -> None:
    id = submitted(api)
    hand.fail(*hand.begin())
    with Listener(api, id) as listener:
        heard(listener, "end")
        assert listener.over.wait(5)
    assert api.http.post(f"/v1/jobs/{id}/retry").status_code == 200
    with Listener(api, id, listener.last) as listener:
        heard(listener, "queued")
        hand.finish(*hand.begin(), result=1)
        until(lambda: listener.names[-1] == "end", 5)
        assert "attempt" not in listener.names  # the first run's was told with its end
        assert listener.events[-1].document["run"] == 2


def test_a_silent_stream_says_that_it_lives(other: Replica, hand: Hand) -> None:
    with Listener(other, submitted(other)) as listener:
        until(lambda: len(listener.comments) >= 2, 5, "comments")
        assert listener.names == ["queued"]
    until(lambda: gauges(other)["millpond_event_streams"] == 0, 5, "who left is forgotten")


def test_a_lost_message_delays_a_stream_by_a_second_at_most(api: Replica, hand: Hand) -> None:
    id = submitted(api)
    with Listener(api, id) as listener:
        heard(listener, "queued")
        hand.client.hdel(keys.job(id), "watchers")
        hand.begin()
        heard(listener, "queued", "started")


def test_many_streams_of_one_job_share_its_reads(proxied: Replica, proxy: RedisProxy, hand: Hand) -> None:
    id = submitted(proxied)
    listeners = [Listener(proxied, id) for _ in range(20)]
    until(lambda: all(one.names == ["queued"] for one in listeners), 5)
    before, subscriptions = proxy.counts["listen"], proxy.counts["subscribe"]
    hand.begin()
    until(lambda: all(one.names == ["queued", "started"] for one in listeners), 5)
    assert proxy.counts["listen"] - before <= 2
    assert proxy.counts["subscribe"] == subscriptions
    assert hand.client.hget(keys.job(id), "watchers") in hand.client.pubsub_channels("mp:told:*")
    for one in listeners:
        one.close()


@pytest.fixture
def lenient(redis_url: str, shared_database: str, tmp_path: Path, hand: Hand) -> Iterator[Replica]:
    """A replica that gives its clients a minute to take what they are sent."""
    with Replica(tmp_path, redis_url, shared_database, body_timeout_s=60) as replica:
        yield replica


def test_a_reader_that_does_not_read_costs_little(lenient: Replica, hand: Hand) -> None:
    api, id = lenient, submitted(lenient)
    (job,) = hand.begin()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", api.port))
        connection.sendall(f"GET /v1/jobs/{id}/events HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        until(lambda: gauges(api)["millpond_event_streams"] == 1, 5)
        before = gauges(api)["process_resident_memory_bytes"]
        for number in range(150):
            report(hand, job, f"{number} " + "x" * 200_000)  # 30 MB
            assert api.job(id)["progress"].startswith(f"{number} ")
        assert gauges(api)["process_resident_memory_bytes"] - before < 15e6
        hand.finish(job, result=1)
        connection.settimeout(5)
        told = b""
        while b"event: end" not in told[-500_000:]:
            told += connection.recv(1 << 20)
        assert told.count(b"event: progress") < 100  # what it did not take was replaced


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, True),
        ("", True),
        ("text/event-stream", True),
        ("*/*", True),
        ("Text/*;q=0.1", True),
        ("application/json, text/event-stream; q=0.5", True),
        ("application/json", False),
        ("text/html, application/xml;q=0.9", False),
        ("text/event-stream;q=0, */*", False),
        ("text/event-stream; q=0.000", False),
        ("text/*;q=0, text/event-stream", True),
        ("*/*;q=0", False),
    ],
)
def test_the_most_specific_range_decides(header: str | None, expected: bool) -> None:
    assert accepts(header, "text/event-stream") is expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("7", Place(7)),
        ("7.2.1", Place(7, 2, 1)),
        ("7.2", None),
        ("-1", None),
        ("x", None),
        ("7.2.1.9", Place(7, 2, 1, 9)),
        ("7.2.1.0.0", None),
        ("9" * 19, None),
    ],
)
def test_ids_of_events_are_read_back(text: str, place: Place | None) -> None:
    assert Place.read(text) == place


def test_refusals(api: Replica) -> None:
    id = submitted(api)
    wrong = [
        (404, "not_found", "nothing/events", {}),
        (406, "not_acceptable", f"{id}/events", {"Accept": "application/json"}),
        (400, "bad_parameter", f"{id}/events", {"Last-Event-ID": "x"}),
        (400, "bad_parameter", f"{id}/events?last_event_id=x", {"Last-Event-ID": "1"}),
    ]
    for status, code, path, headers in wrong:
        answer = api.http.get(f"/v1/jobs/{path}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert api.http.post(f"/v1/jobs/{id}/events").status_code == 405
    head = api.http.head(f"/v1/jobs/{id}/events")
    assert (head.status_code, head.headers["Content-Type"]) == (200, "text/event-stream")


def test_the_bytes_of_a_stream(api: Replica, hand: Hand) -> None:
    id = submitted(api)
    hand.finish(*hand.begin(), result=None)
    with api.connect() as connection:
        connection.sendall(f"GET /v1/jobs/{id}/events HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        head, _, body = receive(connection).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert body.endswith(b"\n\n\r\n0\r\n\r\n")
    lines = [line for line in body.split(b"\n") if line[:1].isalpha() and b": " in line]
    assert [line.partition(b":")[0] for line in lines] == [b"retry", b"event", b"id", b"data"]
