"""A published entry says all that the API needs, survives its JSON form, and changes the digest only when it changes."""

from dataclasses import replace

import pytest
import redis

from millpond import broker, codec, keys
from millpond.catalogue import Entry, entries_from_hash, publish
from millpond.errors import Undecodable
from millpond.task import Task


def resize(path: str, width: int = 100, *sizes: float, mode: str | None = None, **more: bool) -> None: ...
def other() -> None: ...


RESIZE = Task(name="resize", function=resize, queue="images", timeout_s=7, max_attempts=3, rerun="never")
OTHER = Task(name="other", function=other)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return broker.connect(redis_url)


def published(client: redis.Redis) -> dict[str, Entry]:
    return entries_from_hash(client.hgetall(keys.CATALOGUE))  # type: ignore[arg-type]


def test_json_form() -> None:
    entry = Entry.of(RESIZE, seen_ms=5)
    assert Entry.parse(codec.render(entry.describe())) == entry
    described = entry.describe()
    assert described["params"][0] == {"name": "path", "kind": "either", "required": True, "schema": {"type": "string"}}
    assert (described["var_args"], described["var_kwargs"]) == ({"type": "number"}, {"type": "boolean"})
    assert (described["queue"], described["timeout_s"], described["max_attempts"], described["rerun"]) == ("images", 7, 3, "never")


def test_a_parsed_entry_checks_without_the_function() -> None:
    entry = Entry.parse(codec.render(Entry.of(RESIZE).describe()))
    assert entry.check(["a.png", 1, 0.5], {"mode": None, "deep": True}) == []
    assert [fault["pointer"] for fault in entry.check(["a.png", "x", 0.5, "y"], {"deep": 1})] == ["#/args/1", "#/args/3", "#/kwargs/deep"]


def test_the_digest_changes_with_anything_but_the_time() -> None:
    assert Entry.of(RESIZE, seen_ms=1).digest == Entry.of(RESIZE, seen_ms=2).digest
    changed = [replace(RESIZE, queue="q"), replace(RESIZE, jitter=0.2), replace(RESIZE, function=other)]
    assert len({Entry.of(task).digest for task in [RESIZE, *changed]}) == 4


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"name":"a"}', b"\x00", b"null"])
def test_what_is_no_entry(raw: bytes) -> None:
    with pytest.raises(Undecodable):
        Entry.parse(raw)
    assert entries_from_hash({b"bad": raw, b"other": codec.render(Entry.of(OTHER).describe())}).keys() == {"other"}


def test_publishing(client: redis.Redis) -> None:
    publish(client, {"resize": RESIZE})
    first, digest = published(client), client.get(keys.CATALOGUE_DIGEST)
    assert first["resize"].seen_ms > 0

    publish(client, {"resize": RESIZE})
    assert client.get(keys.CATALOGUE_DIGEST) == digest
    assert published(client)["resize"].seen_ms >= first["resize"].seen_ms

    publish(client, {"other": OTHER})
    assert client.get(keys.CATALOGUE_DIGEST) != digest
    assert published(client).keys() == {"resize", "other"}
    assert client.ttl(keys.CATALOGUE) == -1


def test_a_changed_or_spoiled_entry_is_written_anew(client: redis.Redis) -> None:
    publish(client, {"resize": RESIZE})
    digest = client.get(keys.CATALOGUE_DIGEST)
    publish(client, {"resize": replace(RESIZE, max_attempts=9)})
    assert published(client)["resize"].max_attempts == 9
    assert client.get(keys.CATALOGUE_DIGEST) != digest

    client.hset(keys.CATALOGUE, "resize", "spoiled")
    publish(client, {"resize": RESIZE})
    assert published(client)["resize"] == replace(Entry.of(RESIZE), seen_ms=published(client)["resize"].seen_ms)


def test_nothing_to_publish(client: redis.Redis) -> None:
    publish(client, {})
    assert not client.exists(keys.CATALOGUE)
