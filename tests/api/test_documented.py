"""Every example in docs/http.md, in its order, against a Millpond that runs the examples' tasks."""

import re
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.api import contract
from tests.api.documented import Bound, Differs, Example, read
from tests.processes import ROOT
from tests.servers import RedisServer
from tests.system.site import Site
from tests.until import until

PAGE = (ROOT / "docs" / "http.md").read_text()
PATIENCE_S = 10


def test_every_example_answers_as_shown(tmp_path: Path, redis_server: RedisServer, redis_url: str) -> None:
    bound: Bound = {}
    settings = {"TASKS": "examples", "CLASSIC": "on", "CLASSIC_TASK": "sleep", "TEST_SECONDS": 0.01}
    with Site(tmp_path, redis_url, f"sqlite:///{tmp_path}/millpond.db", **settings) as site, httpx2.Client(timeout=PATIENCE_S) as http:
        base = site.start().apis[0].url
        for example in read(PAGE):
            try:
                bound = ask(http, base, example, bound)
            except AssertionError as error:
                raise AssertionError(f"docs/http.md, the example at line {example.line}: {error}") from error


def ask(http: httpx2.Client, base: str, example: Example, bound: Bound) -> Bound:
    """What the names stand for after the call. What is read may become as shown a little later; what is done is done once."""
    request = example.request(base, bound)
    seen: list[Bound] = []
    faults: list[str] = []

    def as_shown() -> bool:
        answer = http.send(request)
        contract.check(answer)
        try:
            seen.append(example.compare(answer, bound))
        except Differs as error:
            faults.append(str(error))
        return bool(seen) or request.method != "GET" or bool(request.content)

    with suppress(AssertionError):
        until(as_shown, PATIENCE_S)
    if not seen:
        raise Differs(faults[-1])
    return seen[0]


def test_the_page_has_no_example_that_is_not_run() -> None:
    examples = list(read(PAGE))
    assert len(examples) >= 10
    assert len(re.findall(r"\bcurl\b", PAGE)) == len(examples)
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"console"}


@pytest.mark.parametrize(
    ("shown", "body", "fits"),
    [
        ('{"a": 1}', '{"a": 1, "b": 2}', True),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": "$x", "b": "$x"}', '{"a": 7, "b": 7}', True),
        ('{"a": "$x", "b": "$x"}', '{"a": "7", "b": "8"}', False),
        ('{"a": "/$x/$y"}', '{"a": "/1/2"}', True),
        ("[{}]", "[{}, {}]", False),
        ('{"a": {"b": null}}', '{"a": {}}', False),
    ],
)
def test_what_is_shown_is_compared(shown: str, body: str, fits: bool) -> None:
    (example,) = read(f"```console\n$ curl -i http://127.0.0.1:8888/\nHTTP/1.1 200 OK\n\n{shown}\n```\n")
    answer = httpx2.Response(200, content=body, headers={"Content-Type": "application/json"})
    if fits:
        example.compare(answer, {})
    else:
        with pytest.raises(Differs):
            example.compare(answer, {})


def test_lines_of_text_are_compared() -> None:
    (example,) = read("```console\n$ curl -i http://127.0.0.1:8888/\nHTTP/1.1 200 OK\nX-A: $a\n\n...\nb $a\n...\n```\n")
    headers = {"Content-Type": "text/plain", "X-A": "1"}
    assert example.compare(httpx2.Response(200, text="x\nb 1\ny\n", headers=headers), {}) == {"a": "1"}
    with pytest.raises(Differs):
        example.compare(httpx2.Response(200, text="x\nb 2\ny\n", headers=headers), {})
