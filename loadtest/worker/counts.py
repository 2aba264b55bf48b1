"""Where each side's jobs and results lie in Redis, and how they are counted there."""

from collections.abc import Callable

import redis

Count = Callable[[redis.Redis], int]


def in_list(name: str) -> Count:
    """The entries of a list."""
    return lambda client: int(client.llen(name))


def in_sorted_set(name: str) -> Count:
    """The members of a sorted set."""
    return lambda client: int(client.zcard(name))


def in_set(name: str) -> Count:
    """The members of a set."""
    return lambda client: int(client.scard(name))


def in_hash(name: str) -> Count:
    """The fields of a hash."""
    return lambda client: int(client.hlen(name))


def in_stream(name: str) -> Count:
    """The entries of a stream whose reader deletes what it has done."""
    return lambda client: int(client.xlen(name))


def of_group(name: str) -> Count:
    """The entries of a stream that its one group of readers has not acknowledged."""
    return lambda client: sum(int(group["lag"] or 0) + int(group["pending"]) for group in client.xinfo_groups(name))


def matching(pattern: str) -> Count:
    """The keys like a pattern."""
    return lambda client: sum(1 for _ in client.scan_iter(pattern, count=10_000))


def less(all_of_them: Count, some: Count) -> Count:
    """What is counted by the first and not by the second."""
    return lambda client: all_of_them(client) - some(client)


RQ_QUEUE = "rq:queue:default"  # Millpond's too: it keeps RQ's contract
RQ_WAITING, RQ_FINISHED = in_list(RQ_QUEUE), in_sorted_set("rq:finished:default")
