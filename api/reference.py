"""GET /openapi.json and GET /docs: the contract for programs and for people, as it is now on this replica."""

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from typing import ClassVar, Final

from api import openapi, page
from api.described import TEXT, Answer, Call, Header, Parameter
from api.handler import Handler
from api.tasks import Catalogue
from millpond import codec
from millpond.catalogue import Entry
from millpond.errors import NotDone

HTML: Final = "text/html; charset=utf-8"
POLICY: Final = f"default-src 'none'; style-src '{page.STYLE_DIGEST}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Rendered:
    """Both forms of one document. `etag` is the same on every replica of this version that knows the same tasks."""

    etag: str
    json: bytes
    html: bytes


class Reference:
    """Renders the document when the tasks changed, and keeps it until they change again."""

    def __init__(self, routes: openapi.Routes, catalogue: Catalogue) -> None:
        self._routes = routes
        self._catalogue = catalogue
        self._digests: list[tuple[str, str]] | None = None
        self._rendered = Rendered("", b"", b"")
        self._turn = asyncio.Lock()

    async def now(self) -> Rendered:
        """The document for the tasks as they are, or as they were last seen where Redis is away."""
        try:
            entries = await self._catalogue.entries()
        except NotDone:
            entries = self._catalogue.known()
        digests = [(entry.name, entry.digest) for entry in entries]
        async with self._turn:
            if digests != self._digests:
                self._rendered = await asyncio.to_thread(_render, self._routes, entries)
                self._digests = digests
            return self._rendered


def _render(routes: openapi.Routes, entries: list[Entry]) -> Rendered:
    document = openapi.document(routes, entries)
    text = codec.render(document)
    return Rendered(f'"{sha256(text).hexdigest()[:16]}"', text, page.render(document))


_VALIDATOR = (Header("ETag", "Changes with the document.", TEXT), Header("Cache-Control", "Ask again each time.", {"const": "no-cache"}))
_IF_NONE_MATCH = Parameter("If-None-Match", "header", "The ETag of what you have: 304 if it has not changed.", TEXT)


class _Document(Handler):
    def answer(self, rendered: Rendered, body: bytes) -> None:
        """Answer with a form of the document, or 304 to whom has it."""
        self.set_header("ETag", rendered.etag)
        self.set_header("Cache-Control", "no-cache")
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
        else:
            self.finish(body)


class OpenApi(_Document):
    """The contract for programs."""

    route = "/openapi.json"
    calls: ClassVar = {
        "GET": Call(
            name="openapi",
            tag="Service",
            summary="Tell this contract as an OpenAPI 3.1 document",
            text="With a schema of a submission for each task that workers offer now.",
            takes=(_IF_NONE_MATCH,),
            answers=(
                Answer(200, "This document.", {"type": "object"}, _VALIDATOR),
                Answer(304, "It has not changed since If-None-Match.", headers=_VALIDATOR),
            ),
        )
    }

    async def get(self) -> None:
        rendered = await self.application.reference.now()
        self.answer(rendered, rendered.json)


class Docs(_Document):
    """The contract for people."""

    route = "/docs"
    calls: ClassVar = {
        "GET": Call(
            name="docs",
            tag="Service",
            summary="Show this contract as a page",
            takes=(_IF_NONE_MATCH,),
            answers=(
                Answer(200, "The page; it loads nothing else.", TEXT, _VALIDATOR, HTML),
                Answer(304, "It has not changed since If-None-Match.", headers=_VALIDATOR),
            ),
        )
    }

    async def get(self) -> None:
        rendered = await self.application.reference.now()
        self.set_header("Content-Type", HTML)
        self.set_header("Content-Security-Policy", POLICY)
        self.answer(rendered, rendered.html)
