"""Examples of HTTP as the docs show them, read and compared. CONTRIBUTING.md says their form."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx2

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"\$([a-z][a-z_]*)")
_ANYTHING = "..."
_JSON = ("application/json", "application/problem+json")

Bound = Mapping[str, Any]


class Differs(AssertionError):
    """An answer is not as shown."""


@dataclass(frozen=True, slots=True)
class Example:
    """A call and what it answers: `headers` and `body` show what is worth showing of it."""

    line: int
    command: str
    status: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def request(self, base: str, bound: Bound) -> httpx2.Request:
        """The call, to the server at `base`. Raises ValueError for an option of curl's that has no place here."""
        words = iter(shlex.split(self.command.replace("\\\n", " ")))
        assert next(words) == "curl", self.command
        method, url, body = "", "", None
        headers: list[tuple[str, str]] = []
        for word in words:
            match word:
                case "-i" | "-N":
                    pass
                case "-X":
                    method = next(words)
                case "-H":
                    name, _, value = _filled(next(words), bound).partition(": ")
                    headers.append((name, value))
                case "-d" | "--data-binary":
                    body = _filled(next(words), bound).encode()
                case _ if word.startswith("http://127.0.0.1:8888/"):
                    url = base + _filled(word, bound).removeprefix("http://127.0.0.1:8888")
                case _:
                    raise ValueError(f"{word} in line {self.line}")
        return httpx2.Request(method or ("GET" if body is None else "POST"), url, headers=headers, content=body)

    def compare(self, answer: httpx2.Response, bound: Bound) -> Bound:
        """What its names stand for after this answer. Raises Differs."""
        said = f"HTTP/1.1 {answer.status_code} {HTTPStatus(answer.status_code).phrase}"
        if said != self.status:
            raise Differs(f"{said}: {answer.text}")
        for name, value in self.headers:
            bound = _text(name, value, answer.headers.get(name, ""), bound)
        if not self.body:
            return bound
        if answer.headers["Content-Type"] in _JSON:
            return _json("#", json.loads(self.body), answer.json(), bound)
        return _lines(self.body, answer.text, bound)


def read(text: str) -> Iterator[Example]:
    """The examples of a page, in its order."""
    for block in _BLOCK.finditer(text):
        first = text.count("\n", 0, block.start()) + 2
        for shown in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]:
            command, status, answer = re.split(r"^(HTTP/1\.1 .*)\n", shown, maxsplit=1, flags=re.MULTILINE)
            head, _, body = answer.partition("\n\n") if not answer.startswith("\n") else ("", "", answer[1:])
            headers = tuple((name, value) for name, _, value in (line.partition(": ") for line in head.splitlines() if line))
            yield Example(first, command.strip(), status, headers, body.strip())


def _filled(text: str, bound: Bound) -> str:
    return _NAME.sub(lambda name: str(bound[name[1]]), text)


def _json(place: str, shown: Any, got: Any, bound: Bound) -> Bound:
    """Objects may have more members than are shown; everything else is as shown."""
    match shown, got:
        case dict(), dict():
            for name in shown:
                if name not in got:
                    raise Differs(f"{place}/{name} is not there: {got}")
                bound = _json(f"{place}/{name}", shown[name], got[name], bound)
            return bound
        case list(), list() if len(shown) == len(got):
            for at, (one, other) in enumerate(zip(shown, got, strict=True)):
                bound = _json(f"{place}/{at}", one, other, bound)
            return bound
        case str(), _ if (name := _NAME.fullmatch(shown)) and bound.get(name[1], got) == got:
            return {**bound, name[1]: got}
        case str(), str():
            return _text(place, shown, got, bound)
    if shown == got and type(shown) is type(got):
        return bound
    raise Differs(f"{place}: {shown!r} is shown, {got!r} came")


def _lines(shown: str, got: str, bound: Bound) -> Bound:
    """Text, line by line; a line `...` stands for any number of lines."""
    left = got.strip().splitlines()
    skipping = False
    for line in shown.splitlines():
        if line == _ANYTHING:
            skipping = True
            continue
        while left:
            try:
                bound = _text("the body", line, left.pop(0), bound)
                break
            except Differs:
                if not skipping or not left:
                    raise
        else:
            raise Differs(f"{line!r} did not come: {got!r}")
        skipping = False
    if left and not skipping:
        raise Differs(f"{left[0]!r} came and is not shown")
    return bound


def _text(place: str, shown: str, got: str, bound: Bound) -> Bound:
    """Text in which a name stands for what it stood for before, or for whatever is there now, up to a space, quote or slash."""
    parts, seen = [], set()
    for at, part in enumerate(_NAME.split(shown)):
        if at % 2 == 0 or part in bound:
            parts.append(re.escape(part if at % 2 == 0 else str(bound[part])))
        else:
            parts.append(f"(?P={part})" if part in seen else f'(?P<{part}>[^\\s"/]+)')
            seen.add(part)
    match = re.fullmatch("".join(parts), got)
    if not match:
        raise Differs(f"{place}: {shown!r} is shown, {got!r} came")
    return {**bound, **match.groupdict()}
