"""The contract: every route and every code is in it, its schemas take what the tasks take, and both its forms are served."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tornado.httputil import HTTPHeaders

from api import codes, idempotency, openapi, schemas
from api.app import ROUTES
from api.described import EVERY
from api.page import curl
from api.samples import sample
from millpond import keys
from millpond.catalogue import Entry
from millpond.errors import BadInput
from millpond.task import registered
from tests.api.contract import document
from tests.api.hand import TASKS, Hand
from tests.api.replica import Replica
from tests.processes import ROOT
from tests.servers import RedisServer
from tests.tasks import typed
from tests.until import until

ENTRIES = [Entry.of(task) for task in registered().values() if task.path.startswith(typed.__name__)]


def pattern_of(route: str) -> str:
    """The regular expression of a path with names in braces."""
    parts = re.split(r"\{(\w+)\}", route)
    return "".join(re.escape(part) if at % 2 == 0 else openapi.IN_PATH[part].schema["pattern"] for at, part in enumerate(parts))


@pytest.mark.parametrize(("pattern", "handler"), ROUTES)
def test_every_route_is_described_and_nothing_else(pattern: str, handler: Any) -> None:
    assert set(handler.calls) == set(handler.allowed()) - {"HEAD"}
    assert pattern_of(handler.route).replace("^", "").replace("$", "").replace("\\", "") == re.sub(r"[()\\]", "", pattern)


def test_no_two_calls_share_a_name_or_a_path() -> None:
    names = Counter(call.name for _, handler in ROUTES for call in handler.calls.values())
    assert set(names.values()) == {1}
    assert len(document()["paths"]) == len(ROUTES)
    links = {name for _, handler in ROUTES for call in handler.calls.values() for name in call.leads}
    assert links <= set(names)


def test_every_code_in_the_sources_is_in_the_table() -> None:
    files = [ROOT / "millpond/errors.py", ROOT / "millpond/job.py", *(ROOT / "api").glob("*.py")]
    said = {
        code
        for file in files
        for code in re.findall(r'\bcode ?= ?"([a-z_]+)"|Refused\(\d+, "([a-z_]+)"', file.read_text())
        for code in code
    }
    never_answered = {"bad_setting", "unavailable", "unrecordable_result", "undecodable", ""}
    assert said - never_answered <= set(codes.PROBLEMS)


def test_every_code_of_the_table_is_some_calls_or_the_servers() -> None:
    answered = {code for _, handler in ROUTES for call in handler.calls.values() for code in call.refuses}
    assert set(codes.PROBLEMS) == answered | {*EVERY, "method_not_allowed"}


def nodes(node: Any) -> Iterator[dict[str, Any]]:
    """Every object in a document."""
    if isinstance(node, dict):
        yield node
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(one)


@pytest.mark.parametrize("entries", [[], ENTRIES], ids=["no catalogue", "tasks"])
def test_every_schema_is_one_and_every_reference_leads_somewhere(entries: list[Entry]) -> None:
    made = openapi.document(ROUTES, entries)
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    references = {node["$ref"] for node in nodes(made) if isinstance(node.get("$ref"), str)}
    assert references
    assert {reference.removeprefix("#/components/schemas/") for reference in references} <= set(made["components"]["schemas"])
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in made["components"]["schemas"])
    assert not [node for node in nodes(made) if "$defs" in node]


def test_what_is_shown_of_a_job_is_what_it_has() -> None:
    job = schemas.components()["Job"]
    assert list(job["properties"]) == list(schemas.JOB)
    Draft202012Validator({**job, "components": document()["components"]}).validate(job["examples"][0])


VALUES = st.one_of(
    st.sampled_from([None, True, 1, 1.5, "a", [], ["green"], ["blue"], {}, {"a": 1}, {"a": "b"}, {"leaves": [{"colour": "red"}]}]),
    st.sampled_from([{"branches": [{"branches": [{"leaves": [{"colour": "blue"}]}]}]}, {"branches": [{}]}, [1, 2]]),
)
NAMES = st.sampled_from(
    ["a", "b", "first", "second", "third", "fourth", "tree", "keep", "weights", "value", "text", "seconds", "job_id", "x"]
)
made_of_tasks = openapi.document(ROUTES, ENTRIES)


@given(entry=st.sampled_from(ENTRIES), args=st.lists(VALUES, max_size=4), kwargs=st.dictionaries(NAMES, VALUES, max_size=3))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_a_tasks_schema_takes_exactly_what_the_task_takes(entry: Entry, args: list[Any], kwargs: dict[str, Any]) -> None:
    schema = {"$ref": f"#/components/schemas/task.{entry.name}", "components": made_of_tasks["components"]}
    body = {"task": entry.name, "args": args, "kwargs": kwargs}
    assert Draft202012Validator(schema).is_valid(body) == (not entry.check(args, kwargs)), entry.check(args, kwargs)


@given(key=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7F), max_size=8))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@example('"a b"')
@example('"\\"')
@example('"\\""')
@example("a,b")
@example("a;b")
@example("k" * 255)
@example("k" * 256)
def test_the_idempotency_key_is_read_as_it_is_described(key: str) -> None:
    try:
        read = idempotency.key_of(HTTPHeaders({"Idempotency-Key": key}))
    except BadInput:
        read = None
    # White space around it is not its own, and a structured field's parameters mean nothing.
    if key == key.strip() and not (key.startswith('"') and ";" in key):
        assert bool(re.search(idempotency.HEADER.schema["pattern"], key)) == (read is not None), key


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "text"),
        ({"minimum": 3, "type": "integer"}, 3),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "required": ["a"], "properties": {"a": {"const": 1}}}}}, {"a": 1}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/A"}}}}}, None),
        ({"examples": {"no": "list"}}, None),
        ({"type": "object", "required": ["a"]}, None),
    ],
)
def test_a_sample_is_found_or_not(schema: Any, value: Any) -> None:
    assert sample(schema) == value


def test_every_task_has_an_example_that_fits() -> None:
    made = made_of_tasks["components"]["schemas"]
    tasks = {name: schema for name, schema in made.items() if name.startswith("task.") and "examples" in schema}
    assert set(tasks) == {f"task.{entry.name}" for entry in ENTRIES}
    for schema in tasks.values():
        Draft202012Validator({**schema, "components": made_of_tasks["components"]}).validate(schema["examples"][0])


def test_the_contract_follows_the_catalogue(api: Replica, hand: Hand) -> None:
    first = api.http.get("/openapi.json")
    served = first.json()
    assert {f"task.{name}" for name in TASKS} <= set(served["components"]["schemas"])
    again = api.http.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    hand.client.delete(keys.CATALOGUE, keys.CATALOGUE_DIGEST)
    until(lambda: api.http.get("/openapi.json").headers["ETag"] != first.headers["ETag"], 5)
    assert api.http.get("/openapi.json").json() == document()
    assert api.http.get("/docs").status_code == 200


def test_the_contract_needs_no_redis(tmp_path: Any, shared_database: str) -> None:
    with RedisServer(tmp_path) as server:
        hand = Hand(server.url)
        hand.offer()
        with Replica(tmp_path, server.url, shared_database) as replica:
            until(lambda: "task.add" in replica.http.get("/openapi.json").text, 5)
            known = replica.http.get("/openapi.json").content
            server.stop()
            assert replica.http.get("/openapi.json").content == known
            assert replica.http.get("/docs").status_code == 200


class Page(HTMLParser):
    """What matters of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            {"id": self.ids, "href": self.links}.get(name, self.loads if name in ("src", "srcset", "style") else []).append(value or "")
            assert not name.startswith("on")
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_every_call_and_loads_nothing(api: Replica) -> None:
    answer = api.http.get("/docs")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    page = Page(answer.text)
    assert not {"script", "link", "img", "iframe"} & set(page.tags)
    assert not page.loads
    assert Counter(page.ids).most_common(1)[0][1] == 1
    assert {link for link in page.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link.removeprefix("#") for link in page.links if link.startswith("#")} <= set(page.ids)
    names = [call.name for _, handler in ROUTES for call in handler.calls.values()]
    assert set(names) <= set(page.ids)
    assert answer.text.count("<pre>curl ") == len(names) + len(TASKS)
    levels = [int(tag[1]) for tag in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert '<html lang="en">' in answer.text


def test_the_page_calls_as_each_call_is_made() -> None:
    assert curl("get", "/v1/jobs/{id}") == "curl http://127.0.0.1:8888/v1/jobs/ID"
    assert curl("post", "/v1/jobs/{id}/cancel") == "curl -X POST http://127.0.0.1:8888/v1/jobs/ID/cancel"
    job = "curl http://127.0.0.1:8888/v1/jobs \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"task\": \"sleep\"}'"
    assert curl("post", "/v1/jobs", "application/json", {"task": "sleep"}) == job
    batch = "curl http://127.0.0.1:8888/v1/batches \\\n  -H 'Content-Type: application/x-ndjson' \\\n  --data-binary @FILE"
    assert curl("post", "/v1/batches", "application/x-ndjson") == batch
