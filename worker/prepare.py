"""From a claimed hash to something that can be called, or to the reason why it cannot."""

from collections.abc import Mapping
from typing import Final

from millpond import codec
from millpond.errors import Undecodable
from millpond.moves import Claimed, Outcome
from millpond.rq import Adopted, Unsupported
from millpond.task import Task
from worker import outcome
from worker.run import Run

MAX_PAYLOAD: Final = 67_108_864  # bytes unpacked: the most that MILLPOND_MAX_BODY_BYTES can be


def prepare(claimed: Claimed, tasks: Mapping[str, Task]) -> Run | Outcome:
    """The call that the job asks for, or the outcome of a job that cannot be begun here."""
    try:
        return _adopted(claimed, tasks) if claimed.hash.get("adopted") else _ours(claimed, tasks)
    except (Undecodable, Unsupported) as error:
        return outcome.refused(claimed, error.code, error.detail)


def _ours(claimed: Claimed, tasks: Mapping[str, Task]) -> Run | Outcome:
    name, args, kwargs = codec.decode_payload(claimed.hash.get("data", b""), MAX_PAYLOAD, accepted=True)
    task = tasks.get(name)
    return Run(claimed, task, args, kwargs) if task else _unknown(claimed, name)


def _adopted(claimed: Claimed, tasks: Mapping[str, Task]) -> Run | Outcome:
    asked = Adopted.read(claimed.hash, MAX_PAYLOAD)
    task = asked.find(tasks)
    return Run(claimed, task, asked.args, asked.kwargs, asked) if task else _unknown(claimed, asked.name)


def _unknown(claimed: Claimed, name: str) -> Outcome:
    return outcome.refused(claimed, "unknown_task", f"No task {name!r} is registered with this worker.", name)
