"""What HAProxy says itself: problems, as docs/http.md lists them. One container with the file of compose, before a replica that fails."""

import json
import os
import re
from collections.abc import Iterator
from http.client import responses
from pathlib import Path
from typing import Any

import pytest

from api.codes import PROBLEMS
from tests.api.raw import Answer
from tests.deploy.containers import docker, send
from tests.processes import ROOT, free_port
from tests.until import until

pytestmark = pytest.mark.timeout(600)  # the first build downloads packages

CONFIG = (ROOT / "ops/haproxy/haproxy.cfg").read_text()
SAID = {int(status): json.loads(text) for status, text in re.findall(r"http-error status (\d+) .* string '(.*)'", CONFIG)}
TIMES = {"timeout server 75s": "timeout server 1s", "timeout http-request 10s": "timeout http-request 1s"}
OURS_ALONE = {"unavailable"}  # no replica says that


def request(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""]).encode()


@pytest.fixture(scope="module")
def network() -> Iterator[str]:
    name = f"millpond-proxy-{os.getpid()}"
    docker("network", "create", name)
    yield name
    docker("network", "rm", name)


@pytest.fixture(scope="module")
def proxy(network: str, compose_file: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a proxy that has no replica yet. It waits for less long than in compose, and is otherwise the same."""
    file = tmp_path_factory.mktemp("proxy") / "haproxy.cfg"
    config = CONFIG
    for long, short in TIMES.items():
        assert long in config
        config = config.replace(long, short)
    file.write_text(config)
    file.parent.chmod(0o755)
    port = free_port()
    flags = [f"--network={network}", f"--publish=127.0.0.1:{port}:8888", "--user=99:99", "--read-only", "--cap-drop=ALL"]
    mount = f"--volume={file}:/usr/local/etc/haproxy/haproxy.cfg:ro"
    container = docker("run", "--detach", *flags, mount, compose_file["services"]["proxy"]["image"]).strip()
    try:
        until(lambda: said(port, request("/")), 20, "the proxy answers")
        yield port
    finally:
        docker("rm", "--force", container)


@pytest.fixture(scope="module")
def replica(proxy: int, network: str, images: dict[str, str]) -> Iterator[int]:
    """The port of the proxy, which has found the failing replica."""
    script = Path(__file__).with_name("failing_replica.py")
    flags = [f"--network={network}", "--network-alias=api", f"--volume={script}:/failing_replica.py:ro"]
    container = docker("run", "--detach", *flags, images["api"], "python", "/failing_replica.py").strip()
    try:
        until(lambda: [answer.status for answer in said(proxy, request("/readyz"))] == [200], 20, "the proxy has found its replica")
        yield proxy
    finally:
        docker("rm", "--force", container)


def said(port: int, sent: bytes) -> list[Answer]:
    """The answers; none while there is nobody."""
    try:
        return send(port, sent)
    except OSError:
        return []


def is_problem(answer: Answer, status: int) -> None:
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.problem == SAID[status]
    assert answer.headers["Retry-After"] == ("1" if status in (502, 503, 504) else None)


def test_what_it_says_are_problems() -> None:
    assert SAID.keys() == {400, 408, 500, 502, 503, 504}
    for status, problem in SAID.items():
        assert problem.keys() == {"type", "title", "status", "code", "detail"}
        assert (problem["type"], problem["status"]) == ("about:blank", status)
        assert problem["title"] == responses[status]
        assert problem["code"] in PROBLEMS.keys() | OURS_ALONE


def test_the_documentation_lists_what_it_says() -> None:
    said_there = re.search(r"when the proxy says it \|\n(.*?)\n\n", (ROOT / "docs/http.md").read_text(), re.DOTALL)
    assert said_there
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", said_there[1], re.MULTILINE)
    assert {int(status): code for status, code in rows} == {status: problem["code"] for status, problem in SAID.items()}


def test_no_replica_is_ready(proxy: int) -> None:
    for path in ("/v1/jobs", "/proxyz"):
        (answer,) = send(proxy, request(path))
        is_problem(answer, 503)


@pytest.mark.parametrize(("path", "status"), [("/gone", 502), ("/rubbish", 502), ("/silent", 504)])
def test_the_replica_fails(replica: int, path: str, status: int) -> None:
    (answer,) = send(replica, request(path))
    is_problem(answer, status)


def test_a_body_stops_being_http(replica: int) -> None:
    (answer,) = send(replica, request("/patient", "Expect: 100-continue", "Transfer-Encoding: chunked"), b"no length\r\n")
    is_problem(answer, 400)


@pytest.mark.parametrize(("sent", "status"), [(b"GET /\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHo", 408)], ids=["malformed", "late"])
def test_a_head_that_nobody_can_read(replica: int, sent: bytes, status: int) -> None:
    """HAProxy 3.0 has a page of its own for these, whatever it is told; later ones say what they are told."""
    (answer,) = send(replica, sent)
    assert answer.status == status
    assert answer.headers["Content-Type"] == "text/html" or answer.problem == SAID[status]
