"""/v1/jobs: submit, read, list, cancel, retry."""

from api import idempotency
from api.control import Moved, version_of
from api.handler import Handler
from api.query import read_query
from api.waiters import Bell
from millpond.errors import Unavailable
from millpond.job import Job


class JobHandler(Handler):
    """A handler that answers with a job, and may wait for its end."""

    bell: Bell | None = None

    async def ended(self, id: str, seconds: float) -> Job:
        """The job when it has ended, or as it is after so many seconds; at once if the client leaves or we drain."""
        self.bell = Bell()
        return await self.application.lookup.wait(id, seconds, self.bell)

    def on_connection_close(self) -> None:
        if self.bell:
            self.bell.dismiss()

    def reply_job(self, job: Job, status: int = 200) -> None:
        """Answer with a job and its ETag."""
        self.set_header("ETag", f'"{job.version}"')
        self.reply(job.public(), status)

    def reply_accepted(self, job: Job) -> None:
        """Answer 202 for a job that goes on, 200 for one that ended."""
        self.set_header("Location", f"/v1/jobs/{job.id}")
        if not job.final:
            self.set_header("Retry-After", "1")
        self.reply_job(job, 200 if job.final else 202)


class Jobs(JobHandler):
    """Submit one job, list jobs."""

    route = "/v1/jobs"

    async def post(self) -> None:
        document = self.json_body()
        wait_s = self.wait_s()
        settled = self.application.settled.pop(self.request.connection, None)
        receipt = await self.application.intake.accept(document, idempotency.key_of(self.request.headers), settled)
        if receipt.left is not None:
            for name, value in self.application.pressure.quota(receipt.left).items():
                self.set_header(name, value)
        if receipt.job is None:
            self.set_header("Idempotency-Replayed", "true")
            self.reply_accepted(await self.ended(receipt.id, wait_s))
        else:
            self.reply_accepted(await self._ended_if_wanted(receipt.job, wait_s))

    async def _ended_if_wanted(self, job: Job, wait_s: float) -> Job:
        if not wait_s:
            return job
        try:
            return await self.ended(job.id, wait_s)
        except Unavailable:
            return job  # it was accepted, whatever became unreachable since

    async def get(self) -> None:
        values = {name: value for name in self.request.query_arguments if (value := self.query(name)) is not None}
        page = await self.application.listing.page(read_query(values))
        self.reply(page.document())


class OneJob(JobHandler):
    """Read one job, waiting for its end if asked."""

    route = "/v1/jobs/{id}"

    async def get(self, id: str) -> None:
        wait_s = self.wait_s()
        self.reply_job(await (self.ended(id, wait_s) if wait_s else self.application.lookup.get(id)))


class _Move(JobHandler):
    async def settle(self, id: str, moved: Moved) -> None:
        """Answer with the job after the move: 200 when it was made, 202 for a wish."""
        status = 200 if moved.begun else 202
        if not moved.begun:
            self.set_header("Retry-After", "1")
        try:
            self.reply_job(await self.application.lookup.get(id), status)
        except Unavailable:  # the move was made: that is the answer, even if the job cannot be read now
            self.set_header("ETag", f'"{moved.version}"')
            self.reply({"id": id, "status": moved.state, "version": moved.version}, status)


class Cancel(_Move):
    """Cancel a job."""

    route = "/v1/jobs/{id}/cancel"

    async def post(self, id: str) -> None:
        version = version_of(self.request.headers.get("If-Match"))
        await self.settle(id, await self.application.control.cancel(id, version))


class Retry(_Move):
    """Run a job again."""

    route = "/v1/jobs/{id}/retry"

    async def post(self, id: str) -> None:
        version = version_of(self.request.headers.get("If-Match"))
        await self.settle(id, await self.application.control.retry(id, version))
