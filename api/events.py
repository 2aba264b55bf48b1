"""GET /v1/jobs/{id}/events: what happens to a job, as server-sent events (WHATWG HTML, 9.2)."""

import random
from typing import ClassVar, Final

from tornado.iostream import StreamClosedError

from api.described import READS, Answer, Call, Header, Parameter, Schema
from api.jobs import JobHandler
from api.problems import Refused
from api.story import Place, Story
from api.watch import Watch
from millpond.errors import BadInput
from millpond.job import Job

MEDIA_TYPE: Final = "text/event-stream"
ID: Final[Schema] = {"type": "string", "pattern": r"^([0-9]{1,18}(\.[0-9]{1,9}\.[0-9]{1,9}(\.[0-9]{1,9})?)?)?$"}
_EVENTS: Final[Schema] = {"description": "`event`, `id` and `data`, a JSON document; a stream has no schema of its own in OpenAPI 3.1."}
LAST_EVENT_ID: Final = Parameter("Last-Event-ID", "header", "The id of the last event that you have.", ID)
LAST_EVENT_ID_IN_QUERY: Final = Parameter("last_event_id", "query", "The same, where there is no such header.", ID)
BUFFERING: Final = Header("X-Accel-Buffering", "Tells proxies to pass each event on at once.", {"const": "no"})
TOLD_AT_ONCE: Final = 100  # events in one write: lines come by the hundred
RETRY_MS = (1000, 3000)  # jittered, so that the streams of a replica that stopped do not return as one


class Events(JobHandler):
    """Tells the moves of one job until its end. A reader that is slow is told of fewer: what it has not taken is replaced."""

    route = "/v1/jobs/{id}/events"
    calls: ClassVar = {
        "GET": Call(
            name="followJob",
            tag="Jobs",
            summary="Follow a job",
            text="Events `state`, `progress`, `log`, `attempt`, and at last `end` with the whole job. From the id of each any replica goes "
            "on.",
            takes=(LAST_EVENT_ID, LAST_EVENT_ID_IN_QUERY),
            answers=(
                Answer(200, "What happens to it, as server-sent events, until it ends.", _EVENTS, (BUFFERING,), kind=MEDIA_TYPE),
                Answer(204, "It ended, and you know."),
            ),
            refuses=("bad_parameter", "not_found", "not_acceptable", *READS),
        )
    }

    async def get(self, id: str) -> None:
        if not accepts(self.request.headers.get("Accept"), MEDIA_TYPE):
            raise Refused(406, "not_acceptable", f"This answers {MEDIA_TYPE}.")
        place = self._place()
        self.watch = Watch(moves=True)
        with self.application.waiters.watching(id, self.watch):
            job = await self.application.waiters.look(id, self.watch)
            if place and job.final and job.version == place.version:
                self.set_status(204)  # an EventSource comes back after every end; this alone says that there is nothing more
                self.finish()
                return
            self.watch.patient = True
            await self._stream(self.watch, Story(self.application.lookup, id, place), job)

    def _place(self) -> Place | None:
        # A browser that comes back sends the header, and the address with which it began.
        texts = [text for text in (self.request.headers.get("Last-Event-ID"), self.query("last_event_id")) if text]
        places = [Place.read(text) for text in texts]
        if None in places:
            raise BadInput("This is no id of an event of ours.", code="bad_parameter", parameter="last_event_id")
        return places[0] if places else None

    async def _stream(self, watch: Watch, story: Story, job: Job | None) -> None:
        self.set_header("Content-Type", MEDIA_TYPE)
        self.set_header("X-Accel-Buffering", "no")
        try:
            await self._say(f"retry: {random.randint(*RETRY_MS)}\n\n".encode())
            while self.request.method == "GET":
                events = await story.told_by(job) if job else []
                for at in range(0, len(events), TOLD_AT_ONCE):
                    await self._say(b"".join(event.render() for event in events[at : at + TOLD_AT_ONCE]))
                if (job and job.final) or watch.dismissed:
                    break
                job = await watch.next(self.application.config.heartbeat_s)
                if job is None:
                    await self._say(b": draining\n\n" if watch.dismissed else b": here\n\n")
        except StreamClosedError:
            return
        self.finish()

    async def _say(self, text: bytes) -> None:
        self.write(text)
        await self.flush()  # returns when the socket took it: until then nothing more is written


def accepts(header: str | None, media_type: str) -> bool:
    """Whether Accept allows a media type: the most specific range that names it decides (RFC 9110, 12.5.1)."""
    if header is None or not header.strip():
        return True
    allowed: dict[int, bool] = {}
    for element in header.lower().split(","):
        range_, *parameters = (part.strip() for part in element.split(";"))
        ranges = ("*/*", media_type.partition("/")[0] + "/*", media_type)
        if range_ in ranges:
            allowed[ranges.index(range_)] = not any(_is_zero(parameter) for parameter in parameters)
    return bool(allowed) and allowed[max(allowed)]


def _is_zero(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")
