"""/v1/jobs: submit, read, list, cancel, retry."""

from api import etags, idempotency
from api.control import Moved, version_mismatch
from api.handler import Handler
from api.query import read_query
from api.watch import Watch
from millpond.errors import Unavailable
from millpond.job import Job


class JobHandler(Handler):
    """A handler that answers with a job, and may wait for its end."""

    watch: Watch | None = None

    async def ended(self, id: str, seconds: float) -> Job:
        """The job when it has ended, or as it is after so many seconds; at once if the client leaves or we drain."""
        self.watch = Watch()
        return await self.application.waiters.ended(id, seconds, self.watch)

    def on_connection_close(self) -> None:
        if self.watch:
            self.watch.dismiss()

    def reply_job(self, job: Job, status: int = 200) -> None:
        """Answer with a job and its ETag, and say what became of the client's preferences."""
        self.set_header("ETag", etags.tag(job))
        self.set_header("Vary", "Prefer")
        cut_short = self.watch is not None and self.watch.dismissed and not job.final
        if applied := self.preferences.applied(accepted=status == 202, waited=not cut_short):
            self.set_header("Preference-Applied", applied)
        self.reply(job.public(), status)

    def reply_unchanged(self, job: Job) -> None:
        """Answer that the client has this already (RFC 9110, 15.4.5)."""
        self.set_header("ETag", etags.tag(job))
        self.set_header("Vary", "Prefer")
        self.set_status(304)
        self.finish()

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
        job = await (self.ended(id, wait_s) if wait_s else self.application.lookup.get(id))
        allowed = etags.versions(self.request.headers.get("If-Match"))
        if allowed is not None and job.version not in allowed:
            raise version_mismatch(job.version)
        if wait_s and not job.final:
            self.set_header("Retry-After", "1")
        if etags.unchanged(self.request.headers.get("If-None-Match"), etags.tag(job)):
            self.reply_unchanged(job)
        else:
            self.reply_job(job)


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
        await self.settle(id, await self.application.control.cancel(id, etags.versions(self.request.headers.get("If-Match"))))


class Retry(_Move):
    """Run a job again."""

    route = "/v1/jobs/{id}/retry"

    async def post(self, id: str) -> None:
        await self.settle(id, await self.application.control.retry(id, etags.versions(self.request.headers.get("If-Match"))))
