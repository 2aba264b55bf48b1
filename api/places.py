"""The places in Redis where open jobs stand, read in pieces that a moving queue does not upset."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from api.plain import Plain, text
from millpond import keys
from millpond.errors import BadInput

Item = tuple[str, str]  # (job id, the token after which the next piece begins)
N = TypeVar("N", int, float)
Piece = Callable[[Plain, str, str, int], Awaitable[list[Item]]]


async def started(plain: Plain, queue: str, token: str, count: int) -> list[Item]:
    """Newest first. All scores are equal, so that a member is its own place."""
    key = keys.named("WIP", queue)
    highest = f"({token}" if token else "+"
    (members,) = await plain.read(lambda pipe: pipe.zrevrangebylex(key, highest, "-", 0, count))
    return [(member.rpartition(":")[0], member) for member in map(text, _rows(members))]


async def scheduled(plain: Plain, queue: str, token: str, count: int) -> list[Item]:
    """Due last first."""
    return await _scored(plain, keys.named("SCHEDULED", queue), token, count)


async def held(plain: Plain, queue: str, token: str, count: int) -> list[Item]:
    """Jobs that their task's limits keep aside, last enqueued first."""
    return await _scored(plain, keys.named("ASIDE", queue), token, count)


async def _scored(plain: Plain, key: str, token: str, count: int) -> list[Item]:
    """Highest score first. The token is a score and an id; jobs with the same score are told apart by their ids."""
    score, last = _split(token, float, float("inf"))
    found: list[Item] = []
    offset = 0
    while len(found) < count:
        piece = await _due(plain, key, score, offset, count)
        found += [(id, f"{due!r} {id}") for due, id in piece if not token or (due, id) < (score, last)]
        if len(piece) < count:
            break
        offset += count
    return found[:count]


async def queued(plain: Plain, queue: str, token: str, count: int) -> list[Item]:
    """Last pushed first."""
    return await _list(plain, keys.queue(queue), token, count)


async def alone(plain: Plain, queue: str, token: str, count: int) -> list[Item]:
    """Jobs that wait for a child of their own."""
    return await _list(plain, keys.named("ALONE", queue), token, count)


async def _list(plain: Plain, key: str, token: str, count: int) -> list[Item]:
    # Counted from the tail, where claims do not move it. Pushes do: then the last id shown is met again, and passed over.
    offset, last = _split(token, int, 0)
    while True:
        ids = await _tail(plain, key, offset, count)
        first = ids.index(last) + 1 if last in ids else 0
        if first < len(ids) or not ids:
            return [(id, f"{offset + at + 1} {id}") for at, id in enumerate(ids)][first:]
        offset += len(ids)


def _split(token: str, kind: Callable[[str], N], start: N) -> tuple[N, str]:
    where, _, last = token.partition(" ")
    try:
        return (kind(where) if token else start), last
    except ValueError:
        raise BadInput("The cursor is not one that a list answered.", code="bad_cursor") from None


async def _tail(plain: Plain, key: str, offset: int, count: int) -> list[str]:
    (rows,) = await plain.read(lambda pipe: pipe.lrange(key, -offset - count, -offset - 1))
    return [text(row) for row in reversed(_rows(rows))]


async def _due(plain: Plain, key: str, score: float, offset: int, count: int) -> list[tuple[float, str]]:
    (rows,) = await plain.read(lambda pipe: pipe.zrevrangebyscore(key, score, "-inf", offset, count, withscores=True))
    return [(due, text(member)) for member, due in _rows(rows)]


def _rows(reply: Any) -> Sequence[Any]:
    return reply if isinstance(reply, list) else []


PLACES: dict[str, tuple[Piece, ...]] = {"started": (started,), "queued": (queued, alone, held), "scheduled": (scheduled,)}
