"""/v1/tasks, /v1/queues, /v1/workers: what there is to run jobs."""

from api import queues
from api.handler import Handler
from millpond import moves


class Tasks(Handler):
    """What can be submitted, with the JSON Schema of each argument."""

    route = "/v1/tasks"

    async def get(self) -> None:
        entries = await self.application.catalogue.entries()
        self.reply({"tasks": [entry.describe() for entry in entries]})


class Queues(Handler):
    """The figures of every queue."""

    route = "/v1/queues"

    async def get(self) -> None:
        offered = {entry.queue for entry in await self.application.catalogue.entries()}
        rows = await queues.queues(self.application.plain, offered)
        self.reply({"queues": queues.public(rows)})


class Pause(Handler):
    """Let no worker take from a queue; what runs goes on, what is submitted waits."""

    route = "/v1/queues/{name}/pause"

    async def post(self, name: str) -> None:
        await self.application.writes.run(moves.pause(name))
        self.reply({"name": name, "paused": True})


class Resume(Handler):
    """Let workers take from a queue again."""

    route = "/v1/queues/{name}/resume"

    async def post(self, name: str) -> None:
        await self.application.writes.run(moves.resume(name))
        self.reply({"name": name, "paused": False})


class Workers(Handler):
    """The registered workers."""

    route = "/v1/workers"

    async def get(self) -> None:
        self.reply({"workers": queues.public(await queues.workers(self.application.plain))})
