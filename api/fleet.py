"""/v1/tasks, /v1/queues, /v1/workers: what there is to run jobs."""

from typing import ClassVar

from api import queues
from api.described import TEXT, Answer, Call, listed, record, ref
from api.handler import Handler
from millpond import moves

_PAUSED = record(name=TEXT, paused={"type": "boolean"})
_WRITES = ("redis_unavailable", "outcome_unknown")


class Tasks(Handler):
    """What can be submitted, with the JSON Schema of each argument."""

    route = "/v1/tasks"
    calls: ClassVar = {
        "GET": Call(
            name="listTasks",
            tag="Tasks, queues, workers",
            summary="List what can be submitted",
            text="Each with a JSON Schema of each argument. `components` holds a schema of a whole submission for each.",
            answers=(Answer(200, "The tasks, by name.", record(tasks=listed(ref("Task")))),),
            refuses=("redis_unavailable",),
        )
    }

    async def get(self) -> None:
        entries = await self.application.catalogue.entries()
        self.reply({"tasks": [entry.describe() for entry in entries]})


class Queues(Handler):
    """The figures of every queue."""

    route = "/v1/queues"
    calls: ClassVar = {
        "GET": Call(
            name="listQueues",
            tag="Tasks, queues, workers",
            summary="List the queues with their figures",
            answers=(Answer(200, "Every queue that ever held a job, is paused, or has a task.", record(queues=listed(ref("Queue")))),),
            refuses=("redis_unavailable",),
        )
    }

    async def get(self) -> None:
        offered = {entry.queue for entry in await self.application.catalogue.entries()}
        rows = await queues.queues(self.application.plain, offered)
        self.reply({"queues": queues.public(rows)})


class Pause(Handler):
    """Let no worker take from a queue; what runs goes on, what is submitted waits."""

    route = "/v1/queues/{queue}/pause"
    calls: ClassVar = {
        "POST": Call(
            name="pauseQueue",
            tag="Tasks, queues, workers",
            summary="Let no worker take from a queue",
            text="What runs goes on; what is submitted waits.",
            answers=(Answer(200, "It is paused.", _PAUSED),),
            refuses=_WRITES,
        )
    }

    async def post(self, queue: str) -> None:
        await self.application.writes.run(moves.pause(queue))
        self.reply({"name": queue, "paused": True})


class Resume(Handler):
    """Let workers take from a queue again."""

    route = "/v1/queues/{queue}/resume"
    calls: ClassVar = {
        "POST": Call(
            name="resumeQueue",
            tag="Tasks, queues, workers",
            summary="Let workers take from a queue again",
            answers=(Answer(200, "It is not paused.", _PAUSED),),
            refuses=_WRITES,
        )
    }

    async def post(self, queue: str) -> None:
        await self.application.writes.run(moves.resume(queue))
        self.reply({"name": queue, "paused": False})


class Workers(Handler):
    """The registered workers."""

    route = "/v1/workers"
    calls: ClassVar = {
        "GET": Call(
            name="listWorkers",
            tag="Tasks, queues, workers",
            summary="List the registered workers",
            answers=(Answer(200, "The workers, by name.", record(workers=listed(ref("Worker")))),),
            refuses=("redis_unavailable",),
        )
    }

    async def get(self) -> None:
        self.reply({"workers": queues.public(await queues.workers(self.application.plain))})
