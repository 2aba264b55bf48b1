"""Clients that do not give up: each repeats its request, with its Idempotency-Key, until it is answered, and keeps a journal."""

import itertools
import json
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

from millpond.client import ApiError, Client
from tests.system.verdict import Sent

GIVE_UP_S = 60.0  # a request that is not answered by then fails the test
REPEAT_S = 0.1
ANSWER_S = 3.0  # the article's time-out


class Load:
    """`threads` clients submit jobs of `task` with `args`, to the `urls` in turn, until `count` are accepted or `finish`.

    `pace_s`: pause of each client between two jobs. `name`: the tag `load` of its jobs. Use it as a context: leaving it ends the
    load and waits for it.
    """

    def __init__(
        self,
        urls: Sequence[str],
        journal: Path,
        task: str,
        *args: Any,
        count: int | None = None,
        threads: int = 10,
        pace_s: float = 0.0,
    ) -> None:
        self.journal = journal
        self.failures: list[str] = []
        self._urls, self._task, self._args = urls, task, args
        self._numbers = iter(range(count)) if count is not None else itertools.count()
        self._pace_s, self.name = pace_s, uuid4().hex[:8]
        self._sent: list[Sent] = []
        self._asking: dict[int, float] = {}  # number -> since when, monotonic
        self._lock, self._over, self._give_up_s = Lock(), Event(), GIVE_UP_S
        self._threads = [Thread(target=self._client, args=(number,), daemon=True) for number in range(threads)]

    def __enter__(self) -> Self:
        self._file = self.journal.open("a", buffering=1)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._give_up_s = 0.0 if error else GIVE_UP_S  # a failed test does not wait for answers
        try:
            for thread in self._threads:
                thread.join(GIVE_UP_S + 10)
            if not error:
                self.join()
        finally:
            self._file.close()

    def finish(self) -> list[Sent]:
        """Send no more, let what was begun be answered, and answer the journal."""
        self._over.set()
        return self.join()

    def join(self) -> list[Sent]:
        """Wait until all clients are through."""
        for thread in self._threads:
            thread.join(GIVE_UP_S + 10)
        assert not any(thread.is_alive() for thread in self._threads), "a client hangs"
        assert not self.failures, self.failures[:3]
        return self.sent()

    def sent(self) -> list[Sent]:
        """What was accepted so far."""
        with self._lock:
            return list(self._sent)

    def unanswered(self, before: float) -> int:
        """How many requests that were begun before that moment (monotonic) have no answer yet."""
        with self._lock:
            return sum(since < before for since in self._asking.values())

    def _client(self, number: int) -> None:
        with ExitStack() as stack:
            clients = [stack.enter_context(Client(url, timeout_s=ANSWER_S)) for url in self._urls]
            while not self._over.is_set():
                with self._lock:
                    n = next(self._numbers, None)
                if n is None:
                    return
                self._submit(clients, n)
                self._over.wait(self._pace_s)

    def _submit(self, clients: Sequence[Client], n: int) -> None:
        key, began = f"{self.name}-{n}", time.monotonic()
        self._write({"asking": n, "key": key})
        with self._lock:
            self._asking[n] = began
        for tries in itertools.count(1):
            client = clients[(n + tries) % len(clients)]
            try:
                job = client.submit(self._task, *self._args, idempotency_key=key, tags={"load": self.name, "n": str(n)})
            except ApiError as error:
                self._write({"n": n, "try": tries, "status": error.status, "code": error.code})
                if time.monotonic() - began > self._give_up_s or (400 <= error.status < 500):
                    self.failures.append(f"{n}: {error!r}")
                    return
                Event().wait(REPEAT_S)
                continue
            break
        now = time.monotonic()
        sent = Sent(n, key, job.id, tries, now - began, now)
        self._write(asdict(sent))
        with self._lock:
            self._sent.append(sent)
            del self._asking[n]

    def _write(self, entry: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(entry) + "\n")
