"""Jobs that stock RQ put to wait for another (depends_on) are queued by whoever finishes that one (rq 3.0: queue.py)."""

from queue import SimpleQueue
from threading import Event, Thread

import redis

from millpond import broker, logs, rq

_PAUSE_S = 0.5

log = logs.get("worker.dependents")


class Dependents:
    """Queues them in a thread of its own, which starts with the first: RQ needs several round trips, and 32 MB of library."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._finished: SimpleQueue[str] = SimpleQueue()
        self._thread: Thread | None = None
        self._idle = Event()
        self._idle.set()

    def release(self, id: str) -> None:
        """Queue what waited for this job."""
        self._idle.clear()
        self._finished.put(id)
        if self._thread is None:
            self._thread = Thread(target=self._run, name="dependents", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until all is queued."""
        self._idle.wait()

    def _run(self) -> None:
        client, pause = broker.connect(self._url), Event()
        while True:
            id = self._finished.get()
            while not self._enqueue(client, id):
                pause.wait(_PAUSE_S)
            if self._finished.empty():
                self._idle.set()

    def _enqueue(self, client: redis.Redis, id: str) -> bool:
        try:
            rq.enqueue_dependents(client, id)
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        except Exception:
            log.exception("dependents_stuck", job_id=id)  # RQ cannot read one of its own jobs; trying again changes nothing
        return True
