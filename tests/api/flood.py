"""A flood of submissions that nobody slows down, and a worker that works jobs off at a steady pace: for limits under load."""

import threading
import time
from collections import Counter, deque
from types import TracebackType
from typing import Any, Self

import httpx2

from millpond import broker, moves
from tests.api.hand import Hand
from tests.until import until


class _Runs:
    """Something that runs beside the test until its block ends; what it raised is raised there."""

    def __init__(self, threads: int) -> None:
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run_safely) for _ in range(threads)]
        self._errors: list[BaseException] = []

    def _run_safely(self) -> None:
        try:
            self.run()
        except BaseException as error:
            self._errors.append(error)

    def run(self) -> None:
        raise AssertionError("a subclass says what")

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)
        if self._errors and error is None:
            raise self._errors[0]


class Flood(_Runs):
    """Clients that submit the same body again and again, as fast as they are answered, and keep the last refusal."""

    def __init__(self, url: str, body: dict[str, Any], clients: int = 4) -> None:
        super().__init__(clients)
        self.url = url
        self.body = body
        self.answered: Counter[int] = Counter()
        self.refusals: deque[httpx2.Response] = deque(maxlen=1)

    def run(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=10) as http:
            while not self._over.is_set():
                answer = http.post("/v1/jobs", json=self.body)
                self.answered[answer.status_code] += 1
                if answer.status_code != 202:
                    self.refusals.append(answer)

    def refusal(self) -> httpx2.Response:
        """One that was answered after this was asked."""
        self.refusals.clear()
        until(lambda: self.refusals, 10, "somebody is refused")
        return self.refusals[0]


class Mill(_Runs):
    """A worker that ends `pace` jobs a second; with `records`, a collector's and keeper's part too, so that nothing is left of them."""

    TURN_S = 0.1

    def __init__(self, hand: Hand, pace: float, records: bool = False) -> None:
        super().__init__(1)
        self.hand = hand
        self.slots = round(pace * self.TURN_S)
        self.records = records
        self.ended = 0

    def run(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            jobs = self.hand.begin(self.slots)
            self.hand.finish(*jobs)
            if self.records and jobs:
                self._record([job.id for job in jobs])
            self.ended += len(jobs)
            due += self.TURN_S
            self._over.wait(max(0.0, due - time.monotonic()))

    def _record(self, ids: list[str]) -> None:
        versions = {id: int(broker.run(self.hand.client, moves.listen(id))[1]["version"]) for id in ids}
        committed = [moves.Committed(id, version, ["o:1:1"]) for id, version in versions.items()]
        assert broker.run(self.hand.client, moves.recorded(committed, grace_ms=0)) == [1] * len(ids)
        broker.run(self.hand.client, moves.forget())
