"""A TCP proxy before Redis that knows which script each request calls, and can lose, hold or delay what it carries.

    with RedisProxy(redis.port) as proxy:          # services get proxy.url instead of redis.url
        rule = proxy.swallow("finish", 5)          # Redis runs the next 5 finish scripts; nobody hears of it
        held = proxy.hold("claim")                 # the next claim is kept back ...
        held.caught.wait(5); held.release()        # ... and reaches Redis when the test says so, even if its sender is gone
        proxy.counts["claim"], proxy.turns["claim"], proxy.accepted

A request is named by its script's verb (EVALSHA or EVAL of a text of millpond.scripts), by the function (FCALL), or else by
its command in small letters. The proxy runs in a thread of its own; every method may be called from any thread.
"""

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha1
from importlib.resources import files
from types import TracebackType
from typing import Literal, Self, TypeVar

from millpond.scripts import load
from tests.resp import Frames, words

Match = Callable[[list[bytes]], bool]
Mode = Literal["mix", "close", "silent"]
R = TypeVar("R", "Hold", "Swallow")

_CHUNK = 1 << 16
_UNPAIRED = frozenset({"subscribe", "psubscribe", "ssubscribe", "monitor"})  # their answers are not one for one


@cache
def _verbs() -> dict[str, str]:
    """SHA-1 -> verb of every script."""
    found = (entry.name.removesuffix(".lua") for entry in files("millpond.scripts").iterdir() if entry.name.endswith(".lua"))
    return {load(verb).sha: verb for verb in found if verb != "common"}


def name_of(request: bytes) -> str:
    """The script's verb, the function's name, or the command in small letters."""
    first = words(request, 2)
    command = first[0].decode().lower()
    if command == "evalsha":
        return _verbs().get(first[1].decode(), command)
    if command == "eval":
        return _verbs().get(sha1(first[1], usedforsecurity=False).hexdigest(), command)
    return first[1].decode() if command == "fcall" else command


class _Rule:
    """What waits for the `nth` request called `name` (counted from now) whose words `match`, `count` times."""

    def __init__(self, name: str, nth: int, count: int, match: Match | None) -> None:
        self.name, self.left = name, count
        self._skip, self._match = nth - 1, match

    def takes(self, name: str, request: bytes) -> bool:
        """Whether this request is one of those, and count it."""
        if name != self.name or not self.left or (self._match and not self._match(words(request, 1 << 20))):
            return False
        if self._skip:
            self._skip -= 1
            return False
        self.left -= 1
        return True


class Hold(_Rule):
    """One request kept back, with everything its connection sends after it.

    `caught` is set when the request is here (Redis has not seen it), `settled` when Redis has answered it after release.
    """

    def __init__(self, name: str, nth: int, match: Match | None, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(name, nth, 1, match)
        self.caught, self.settled = threading.Event(), threading.Event()
        self.reply = b""
        self.go = asyncio.Event()
        self._loop = loop

    def release(self, wait_s: float = 5.0) -> bytes:
        """Let it go to Redis, also if its sender left meanwhile, and wait for Redis's raw reply. Raises TimeoutError."""
        self._loop.call_soon_threadsafe(self.go.set)
        if self.caught.is_set() and not self.settled.wait(wait_s):
            raise TimeoutError(f"Redis did not answer the held {self.name} within {wait_s} s")
        return self.reply


class Swallow(_Rule):
    """Replies to lose. `left` tells how many requests it still waits for, `dropped` how many replies it has lost."""

    def __init__(self, name: str, nth: int, count: int, match: Match | None, mode: Mode) -> None:
        super().__init__(name, nth, count, match)
        self.dropped = 0
        self._mode = mode

    def drop(self) -> bool:
        """Count one lost reply; whether its connection is to be closed (else it stays, silent)."""
        self.dropped += 1
        return self._mode == "close" or (self._mode == "mix" and self.dropped % 2 == 1)


@dataclass(eq=False, slots=True)
class _Request:
    name: str
    hold: Hold | None
    swallow: Swallow | None


@dataclass(eq=False, slots=True)
class _Link:
    """One client's connection and the proxy's own to Redis for it."""

    from_client: asyncio.StreamReader
    to_client: asyncio.StreamWriter
    from_redis: asyncio.StreamReader
    to_redis: asyncio.StreamWriter
    asked: deque[_Request] = field(default_factory=deque)  # sent to Redis, not answered yet
    names: set[str] = field(default_factory=set)  # what was ever asked here
    paired: bool = True  # one reply for each request
    doomed: bool = False  # a reply is to be lost, which can happen once
    deaf: bool = False  # a reply was lost: so is all after it
    left: bool = False  # the client is gone

    @property
    def holds(self) -> bool:
        """Whether a released request still waits for its answer."""
        return any(request.hold for request in self.asked)

    def close(self) -> None:
        self.to_client.close()
        self.to_redis.close()


class RedisProxy:
    """Listens on 127.0.0.1:`port` and carries each connection to a connection of its own to `target_port`."""

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self.counts: Counter[str] = Counter()  # requests, by name
        self.turns: Counter[str] = Counter()  # round trips: requests sent while their connection awaited no reply, by name
        self.senders: Counter[str] = Counter()  # connections that ever sent a request of that name
        self.accepted = 0  # connections ever
        self._target = (target_host, target_port)
        self._rules: list[Hold | Swallow] = []
        self._delays: dict[str, float] = {}
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="redis-proxy", daemon=True)
        self._thread.start()
        listen = asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024, limit=1 << 20)
        self._server = asyncio.run_coroutine_threadsafe(listen, self._loop).result(5)
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """The address for MILLPOND_REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def open(self) -> int:
        """Connections now."""
        return len(self._links)

    def hold(self, name: str, nth: int = 1, match: Match | None = None) -> Hold:
        """Keep back the nth request called `name` from now on (1: the next) until its `release`. `match` sees its words."""
        return self._add(Hold(name, nth, match, self._loop))

    def swallow(self, name: str, count: int = 1, mode: Mode = "mix", nth: int = 1, match: Match | None = None) -> Swallow:
        """Pass on the next `count` requests called `name`, one a connection, and lose their replies and all replies after them there.

        Then the connection is closed ("close"), stays open without a word ("silent"), or one the one way and one the other.
        """
        return self._add(Swallow(name, nth, count, match, mode))

    def delay(self, name: str, seconds: float) -> None:
        """Carry each request called `name` that much later from now on; 0 ends it."""
        self._delays[name] = seconds

    def cut(self) -> None:
        """Close every connection at once; new ones are served."""
        self._loop.call_soon_threadsafe(self._close_links)

    def close(self) -> None:
        """Release what is held, close everything and end the thread."""
        for rule in self._rules:
            if isinstance(rule, Hold):
                self._loop.call_soon_threadsafe(rule.go.set)
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _add(self, rule: R) -> R:
        self._rules.append(rule)
        return rule

    def _close_links(self) -> None:
        for link in list(self._links):
            link.close()

    async def _stop(self) -> None:
        self._server.close()
        self._close_links()
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=3)  # not canceled: asyncio.streams 3.11 logs that as an error

    async def _serve(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            from_redis, to_redis = await asyncio.open_connection(*self._target, limit=1 << 20)
        except OSError:
            to_client.close()  # Redis is away: the nearest to a refusal that a listener can do
            return
        link = _Link(from_client, to_client, from_redis, to_redis)
        self._links.add(link)
        replies = asyncio.ensure_future(self._carry_replies(link))
        try:
            await self._carry_requests(link)
            link.left = True
            if link.holds:
                await asyncio.wait([replies], timeout=5)
        finally:
            replies.cancel()
            link.close()
            self._links.discard(link)

    async def _carry_requests(self, link: _Link) -> None:
        frames = Frames()
        try:
            while data := await link.from_client.read(_CHUNK):
                for frame in frames.feed(data):
                    await self._ask(link, frame)
        except OSError:
            return  # the sender is gone

    async def _ask(self, link: _Link, frame: bytes) -> None:
        name = name_of(frame)
        self._count(link, name)
        rules = [rule for rule in self._rules if not (link.doomed and isinstance(rule, Swallow)) and rule.takes(name, frame)]
        hold = next((rule for rule in rules if isinstance(rule, Hold)), None)
        swallow = next((rule for rule in rules if isinstance(rule, Swallow)), None)
        link.doomed = link.doomed or swallow is not None
        if seconds := self._delays.get(name):
            await asyncio.sleep(seconds)
        if hold:
            hold.caught.set()
            await hold.go.wait()
        link.paired = link.paired and name not in _UNPAIRED
        link.asked.append(_Request(name, hold, swallow))
        link.to_redis.write(frame)
        await link.to_redis.drain()

    def _count(self, link: _Link, name: str) -> None:
        self.counts[name] += 1
        self.turns[name] += not link.asked
        self.senders[name] += name not in link.names
        link.names.add(name)

    async def _carry_replies(self, link: _Link) -> None:
        frames = Frames()
        try:
            while data := await link.from_redis.read(_CHUNK):
                for frame in frames.feed(data):
                    self._answer(link, frame)
                if not link.to_client.is_closing():
                    await link.to_client.drain()
        except OSError:
            pass  # one of the two is gone
        finally:
            if not link.deaf:
                link.close()

    def _answer(self, link: _Link, frame: bytes) -> None:
        pushed = frame.startswith(b">") or not link.paired
        request = link.asked.popleft() if link.asked and not pushed else None
        if request and request.hold:
            request.hold.reply = frame
            request.hold.settled.set()
            if link.left and not link.holds:
                link.close()
        if request and request.swallow:
            link.deaf = True
            if request.swallow.drop():
                link.close()
        if not link.deaf and not link.to_client.is_closing():
            link.to_client.write(frame)
