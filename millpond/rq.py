"""What Millpond reads and writes of RQ's own formats (rq 3.0), and the one call it makes into RQ.

A job that a stock producer put (`rq.Queue(..., serializer=JSONSerializer).enqueue`) is adopted: its function, arguments, time-out
and retries are taken over; what we do not do is refused by name. RQ itself is imported only where it is called: it costs 32 MB.
"""

import zlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import redis

from millpond import codec
from millpond.errors import MillpondError
from millpond.fields import Fields
from millpond.task import Task

# Hash field -> what its producer asked for (rq 3.0: job.py `to_dict`; RQ writes "" for a callback that is not set).
_UNSUPPORTED: Final = {
    "success_callback_name": "on_success",
    "failure_callback_name": "on_failure",
    "stopped_callback_name": "on_stopped",
    "webhooks": "webhooks",
    "repeats_left": "repeat",
    "rate_limit_key": "rate_limit",
}


class Unsupported(MillpondError):
    """The job asks RQ for something that Millpond does not do."""

    code = "unsupported_rq_option"


@dataclass(frozen=True, slots=True)
class Adopted:
    """A stock producer's job: its function's name, its arguments, and its retries. `intervals_s` may be shorter than `retries`."""

    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    retries: int = 0
    intervals_s: tuple[float, ...] = ()

    @classmethod
    def read(cls, hash: Mapping[str, bytes], limit: int = codec.MAX_PAYLOAD_BYTES) -> "Adopted":
        """Read the hash of an adopted job; raises Undecodable, or Unsupported naming every option that we do not take over."""
        asked = [option for field, option in _UNSUPPORTED.items() if hash.get(field)]
        if asked:
            raise Unsupported(f"The job was put with {', '.join(asked)}, which Millpond does not do.")
        fields = Fields(hash)
        name, args, kwargs = codec.decode_payload(hash.get("data", b""), limit)
        return cls(name, args, kwargs, fields.integer("retries_left"), tuple(fields.numbers("retry_intervals")))

    def find(self, tasks: Mapping[str, Task]) -> Task | None:
        """The registered task that it names, by task name or by the function's import path; None: `unknown_task`."""
        return tasks.get(self.name) or next((task for task in tasks.values() if task.path == self.name), None)

    def retry_ms(self, failures: int) -> int:
        """Milliseconds until the attempt after the failure number `failures`, -1 if none is left (rq 3.0: job.py
        `get_retry_interval`: with fewer intervals than retries the first is used several times)."""
        left = self.retries - failures + 1
        if left <= 0:
            return -1
        return round(self.intervals_s[max(len(self.intervals_s) - left, 0)] * 1000) if self.intervals_s else 0


def return_value(result_json: bytes) -> bytes:
    """A result as `rq:results:{id}` holds it (rq 3.0: results.py `serialize`); RQ writes none for None."""
    return b"" if result_json == b"null" else b64encode(result_json)


def exc_string(traceback: str) -> bytes:
    """A traceback as `rq:results:{id}` holds it."""
    return b64encode(zlib.compress(traceback.encode("utf-8", "replace")))


def enqueue_dependents(client: redis.Redis, job_id: str) -> None:
    """Let RQ queue the jobs that waited for this one (`depends_on`). A job that is gone has none. Raises redis's errors."""
    from rq.exceptions import NoSuchJobError
    from rq.job import Job
    from rq.queue import Queue
    from rq.serializers import JSONSerializer

    try:
        job = Job.fetch(job_id, connection=client, serializer=JSONSerializer)
    except NoSuchJobError:
        return
    Queue(job.origin, connection=client, serializer=JSONSerializer).enqueue_dependents(job)
