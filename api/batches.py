"""/v1/batches: upload, read, lines, results, cancel."""

import asyncio
from typing import Any, ClassVar, Final, cast

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import stream_request_body

from api import idempotency
from api.batchupload import Upload
from api.described import READS, RETRY_AFTER, TEXT, Answer, Call, Header, Parameter, ref
from api.handler import Handler
from api.problems import Refused
from millpond.errors import BadInput, MillpondError, Unavailable

MEDIA_TYPE: Final = "application/x-ndjson"
LINGER_S: Final = 3.0  # a client that sends its whole body before it reads has so long to come to our answer
CALL_OFF_S: Final = 10.0  # of one request; the next goes on

_LOCATION: Final = Header("Location", "Where the batch is.", {"type": "string", "pattern": "^/v1/batches/[0-9a-f]{24}$"})
_AGAIN: Final = Header("Retry-After", "Seconds after which to send it again, where that is to be done.", {"type": "integer"}, always=False)
_AFTER: Final = Parameter(
    "after", "query", "The number of a line: what comes after it.", {"type": "integer", "minimum": 0, "maximum": 9_999_999_999}
)
_SHUT: Final = (  # what ends an upload at the end of a line
    *("redis_unavailable", "outcome_unknown", "durability_weak", "replicas_missing", "not_replicated", "no_catalogue", "broken_key"),
    *("queue_full", "redis_full", "owner_quota", "draining"),
)


@stream_request_body
class Batches(Handler):
    """Take an upload. It is answered after its end, or at the end of a line where it cannot go on."""

    route = "/v1/batches"
    calls: ClassVar = {
        "POST": Call(
            name="submitBatch",
            tag="Batches",
            summary="Submit any number of jobs in one upload",
            text="Each line is the body of one job. Lines are accepted while they arrive, and answered after the upload. One that cannot "
            "be a job is refused alone. Sent again with its Idempotency-Key, an upload goes on where it was cut off; a problem says in "
            "`batch` how far it came.",
            takes=(idempotency.HEADER,),
            body={"description": "On each line, what POST /v1/jobs takes."},
            body_kind=MEDIA_TYPE,
            answers=(Answer(202, "The upload came to its end.", ref("Batch"), (_LOCATION, RETRY_AFTER, idempotency.REPLAYED)),),
            refuses=("bad_idempotency_key", "unsupported_media_type", "idempotency_key_reused", "not_found", "wrong_state", *_SHUT),
        )
    }

    upload: Upload | None = None
    answered = False
    _begun = False
    _closing: asyncio.TimerHandle | None = None

    def initialize(self) -> None:
        self._turn = asyncio.Lock()

    async def prepare(self) -> None:
        if self.request.method != "POST":
            return
        headers = self.request.headers
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != MEDIA_TYPE or headers.get("Content-Encoding", "identity").lower() != "identity":
            raise Refused(415, "unsupported_media_type", f"Send the lines as {MEDIA_TYPE}, not compressed.")
        self.upload = await self.application.begin_upload(idempotency.key_of(headers))
        self.application.uploads.add(self)

    async def data_received(self, chunk: bytes) -> None:
        self._begun = True
        async with self._turn:
            if self.answered or self.upload is None:
                return
            try:
                await self.upload.feed(chunk)
            except Exception as error:
                self._fail(error)

    async def drain(self) -> None:
        """End the upload at the end of a line; called when the replica is told to stop."""
        async with self._turn:
            if self.answered or self._is_read() or self.upload is None:
                return
            try:
                await self.upload.flush()
                raise Unavailable("This replica stops. Send the whole upload again with its Idempotency-Key.", code="draining")
            except Exception as error:
                self._fail(error)

    async def post(self) -> None:
        if self.answered or self.upload is None:
            return
        try:
            await self.upload.finish()
            batch = await self.application.book.summary(self.upload.id)
        except MillpondError as error:
            raise self._told(error) from error
        if self.upload.replayed:
            self.set_header("Idempotency-Replayed", "true")
        self.set_header("Location", f"/v1/batches/{batch.id}")
        self.set_header("Retry-After", "1")
        self.reply(batch.public(), 202)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, MillpondError):
            error = self._told(error)
        self._handle_request_exception(error)

    def _told(self, error: MillpondError) -> MillpondError:
        """An error that says how far the upload came: from there the same upload can go on."""
        if self.upload:
            counter = self.upload.counter
            error.data["batch"] = {
                "id": self.upload.id,
                "lines": counter.lines,
                "accepted": counter.accepted,
                "rejected": counter.rejected,
                "complete": counter.complete,
            }
        return error

    # -- answers that come before the end of the body -----------------------------------------------------------------------

    def _is_read(self) -> bool:
        return bool(self.request._body_future.done())

    def finish(self, chunk: Any = None) -> "asyncio.Future[None]":
        """Answer. What is still to come of the body is read and dropped for a while: closing at once would reset the connection, and
        the answer be lost with it."""
        self.answered = True
        if self._is_read():
            return super().finish(chunk)
        self.set_header("Connection", "close")
        if "Expect" in self.request.headers and not self._begun:
            return super().finish(chunk)  # nothing is on its way
        body = chunk or b""
        self.set_header("Content-Length", str(len(body)))
        self.write(body)
        sent = self.flush()
        self._closing = asyncio.get_running_loop().call_later(LINGER_S, self._close)
        self.request._body_future.add_done_callback(lambda _: self._close())
        return asyncio.ensure_future(sent)

    def _close(self) -> None:
        if self._closing:
            self._closing.cancel()
            self._closing = None
            if not self._finished:  # by Tornado itself, once the body was read
                super().finish()

    def on_finish(self) -> None:
        self.application.uploads.discard(self)

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.application.uploads.discard(self)


class OneBatch(Handler):
    """Read a batch."""

    route = "/v1/batches/{batch}"
    calls: ClassVar = {
        "GET": Call(
            name="readBatch",
            tag="Batches",
            summary="Read how far a batch is",
            answers=(Answer(200, "The batch.", ref("Batch")),),
            refuses=("not_found", "redis_unavailable"),
        )
    }

    async def get(self, id: str) -> None:
        self.reply((await self.application.book.summary(id)).public())


class _Stream(Handler):
    outcomes: bool

    async def get(self, id: str) -> None:
        after = self._after()
        batch = await self.application.book.summary(id)
        self.set_header("Content-Type", MEDIA_TYPE)
        try:
            async for page in self.application.book.lines(batch, after, self.outcomes):
                if page:
                    self.write(b"\n".join([*page, b""]))
                    await self.flush()
        except StreamClosedError:
            return
        except MillpondError as error:
            if not self._headers_written:
                raise
            # The end of the body would say that this was all.
            self.application.log.debug("stream_cut", code=error.code, detail=error.detail, request_id=self.request_id)
            cast(HTTP1Connection, self.request.connection).stream.close()
            return
        self.finish()

    def _after(self) -> int:
        asked = self.query("after") or "0"
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 11):
            raise BadInput("after is the number of a line.", code="bad_parameter", parameter="after")
        return int(asked)


class Lines(_Stream):
    """What became of each line."""

    route = "/v1/batches/{batch}/lines"
    calls: ClassVar = {
        "GET": Call(
            name="readBatchLines",
            tag="Batches",
            summary="Read what became of each line",
            text="In their order: `{line, id, status, reason}`, and `{line, id, status, problem}` of the first 100 refused ones.",
            takes=(_AFTER,),
            answers=(Answer(200, "A line of JSON for each line.", TEXT, kind=MEDIA_TYPE),),
            refuses=("bad_parameter", "not_found", *READS),
        )
    }
    outcomes = False


class Results(_Stream):
    """The outcomes of the jobs that ended."""

    route = "/v1/batches/{batch}/results"
    calls: ClassVar = {
        "GET": Call(
            name="readBatchResults",
            tag="Batches",
            summary="Read the outcomes of the jobs that ended",
            text="In the order of lines: `{line, id, status, reason, result, error}`.",
            takes=(_AFTER,),
            answers=(Answer(200, "A line of JSON for each job.", TEXT, kind=MEDIA_TYPE),),
            refuses=("bad_parameter", "not_found", *READS),
        )
    }
    outcomes = True


class Cancel(Handler):
    """Cancel all of a batch that is open; it takes no more lines."""

    route = "/v1/batches/{batch}/cancel"
    calls: ClassVar = {
        "POST": Call(
            name="cancelBatch",
            tag="Batches",
            summary="Cancel all of a batch that is open",
            text="What waits ends at once, what runs is told. The batch takes no more lines.",
            answers=(
                Answer(200, "Nothing is left to do.", ref("CalledOff")),
                Answer(202, "Jobs run and were told to end, or `done` is false.", ref("CalledOff"), (_AGAIN,)),
            ),
            refuses=("not_found", "redis_unavailable", "outcome_unknown", "broken_key"),
        )
    }

    async def post(self, id: str) -> None:
        book, loop = self.application.book, asyncio.get_running_loop()
        until = loop.time() + CALL_OFF_S
        canceled = told = 0
        line = 1
        while line and loop.time() < until and not self.application.draining:
            done = await book.call_off(id, line)
            canceled, told, line = canceled + done.canceled, told + done.told, done.next
        if line:
            self.set_header("Retry-After", "1")
        self.reply({"id": id, "canceled": canceled, "told": told, "done": not line}, 202 if told or line else 200)
