"""/v1/jobs: submit, read, list, cancel, retry."""

from dataclasses import replace
from typing import ClassVar, Final

from api import etags, idempotency
from api.codes import UNREADABLE
from api.control import Moved, version_mismatch
from api.described import LOCATION, MOVES, QUOTA, READS, RETRY_AFTER, Answer, Call, ref
from api.etags import ETAG, IF_MATCH, IF_NONE_MATCH
from api.handler import WAIT, Handler
from api.prefer import APPLIED, PREFER
from api.query import PARAMETERS, read_query
from api.watch import Watch
from millpond.errors import Unavailable
from millpond.job import Job

AGAIN: Final = replace(RETRY_AFTER, always=False)  # of a job that has not ended when its wait is over
JOB, MOVED = ref("Job"), {"anyOf": [ref("Job"), ref("Moved")]}
FOLLOWED: Final = ("readJob", "cancelJob", "retryJob")  # by the id of the job that a call answered with

SUBMITTING: Final = (  # what keeps a job from being accepted, beside a body that cannot be read
    *("bad_parameter", "bad_idempotency_key", "unsupported_media_type", "validation_failed", "unknown_task", "idempotency_key_reused"),
    *("owner_quota", "queue_full", "redis_full", "replicas_missing", "not_replicated"),
    *("not_found", *READS, "durability_weak", "no_catalogue", "broken_key", "outcome_unknown"),
)


class JobHandler(Handler):
    """A handler that answers with a job, and may wait for its end."""

    watch: Watch | None = None

    async def ended(self, id: str, seconds: float, told: bool = False) -> Job:
        """The job when it has ended, or as it is after so many seconds; at once if the client leaves or we drain. `told`: Redis knows
        from its beginning that we wait for it."""
        self.watch = Watch()
        return await self.application.waiters.ended(id, seconds, self.watch, told)

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
    calls: ClassVar = {
        "POST": Call(
            name="submitJob",
            tag="Jobs",
            summary="Submit a job",
            text="It is on disk and will run when this is answered. All faults of a body are told at once.",
            takes=(WAIT, PREFER, idempotency.HEADER),
            body=ref("Submission"),
            answers=(
                Answer(202, "Accepted.", JOB, (LOCATION, RETRY_AFTER, ETAG, APPLIED, idempotency.REPLAYED, *QUOTA)),
                Answer(
                    200,
                    "It ended while we waited, or long ago under this key.",
                    JOB,
                    (LOCATION, ETAG, APPLIED, idempotency.REPLAYED, *QUOTA),
                ),
            ),
            refuses=(*UNREADABLE, *SUBMITTING),
            leads=FOLLOWED,
        ),
        "GET": Call(
            name="listJobs",
            tag="Jobs",
            summary="List jobs, newest first",
            text="With only `queued`, `started` or `scheduled` asked for, the list is Redis's, as of now; anything else is the database's, "
            "which is up to two seconds behind.",
            takes=PARAMETERS,
            answers=(Answer(200, "A page.", ref("Page")),),
            refuses=("bad_parameter", "bad_cursor", *READS),
        ),
    }

    async def post(self) -> None:
        document = self.json_body()
        wait_s = self.wait_s()
        settled = self.application.settled(self.request.connection)
        channel = self.application.waiters.channel if wait_s else ""
        receipt = await self.application.intake.accept(document, idempotency.key_of(self.request.headers), settled, channel)
        if receipt.left is not None:
            for name, value in self.application.pressure.quota(receipt.left).items():
                self.set_header(name, value)
        if receipt.job is None:
            self.set_header("Idempotency-Replayed", "true")
            self.reply_accepted(await self.ended(receipt.id, wait_s))
        else:
            self.reply_accepted(await self._ended_if_wanted(receipt.job, wait_s, receipt.told))

    async def _ended_if_wanted(self, job: Job, wait_s: float, told: bool) -> Job:
        if not wait_s:
            return job
        try:
            return await self.ended(job.id, wait_s, told)
        except Unavailable:
            return job  # it was accepted, whatever became unreachable since

    async def get(self) -> None:
        values = {name: value for name in self.request.query_arguments if (value := self.query(name)) is not None}
        page = await self.application.listing.page(read_query(values))
        self.reply(page.document())


class OneJob(JobHandler):
    """Read one job, waiting for its end if asked."""

    route = "/v1/jobs/{id}"
    calls: ClassVar = {
        "GET": Call(
            name="readJob",
            tag="Jobs",
            summary="Read a job",
            text="As it is now, or, with `wait`, when it has ended or that time is over. "
            "A job that failed is a 200 whose `status` is `failed`.",
            takes=(WAIT, PREFER, IF_MATCH, IF_NONE_MATCH),
            answers=(
                Answer(200, "The job.", JOB, (ETAG, APPLIED, AGAIN)),
                Answer(304, "It is as you have it.", None, (ETAG, AGAIN)),
            ),
            refuses=("bad_parameter", "not_found", "version_mismatch", *READS),
        )
    }

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
    calls: ClassVar = {
        "POST": Call(
            name="cancelJob",
            tag="Jobs",
            summary="Cancel a job",
            takes=(IF_MATCH,),
            answers=(
                Answer(200, "It ended at once.", MOVED, (ETAG,)),
                Answer(202, "It runs, and was told to end.", MOVED, (ETAG, RETRY_AFTER)),
            ),
            refuses=MOVES,
            leads=FOLLOWED,
        )
    }

    async def post(self, id: str) -> None:
        await self.settle(id, await self.application.control.cancel(id, etags.versions(self.request.headers.get("If-Match"))))


class Retry(_Move):
    """Run a job again."""

    route = "/v1/jobs/{id}/retry"
    calls: ClassVar = {
        "POST": Call(
            name="retryJob",
            tag="Jobs",
            summary="Run a job again",
            text="A new run of a job that ended other than `finished`, also when only the database remembers it.",
            takes=(IF_MATCH,),
            answers=(Answer(200, "It began anew.", MOVED, (ETAG,)),),
            refuses=(*MOVES, "nothing_to_retry"),
            leads=FOLLOWED,
        )
    }

    async def post(self, id: str) -> None:
        await self.settle(id, await self.application.control.retry(id, etags.versions(self.request.headers.get("If-Match"))))
