"""rq-dashboard as its users start it: a process, called over HTTP."""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from rq_dashboard.cli import make_flask_app

from tests.pace import within
from tests.processes import ROOT, Process, free_port, listens

COMMAND = Path(sys.executable).with_name("rq-dashboard")
SETTINGS = ("--extra-path", str(ROOT / "ops/rq-dashboard"), "--config", "json_only")  # as docs/operate.md says


class Dashboard(Process):
    """One that looks at this Redis; `options` of its command line."""

    def __init__(self, log: Path, redis_url: str, *options: str) -> None:
        self.port = free_port()
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--redis-url", f"{redis_url}?socket_timeout={within(5)}")
        super().__init__([COMMAND, *where, *options], log)

    def ready(self) -> bool:
        return listens(self.port)

    def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """The status and the body of the answer."""
        try:
            with urllib.request.urlopen(
                urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method), timeout=within(10)
            ) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def look(self, path: str) -> Any:
        """What its pages load: the JSON at this path."""
        status, body = self.ask(path)
        assert status == 200, (path, self.output()[-3000:])
        return json.loads(body)

    def press(self, path: str, method: str = "POST") -> dict[str, Any]:
        """What a button does; it must succeed."""
        status, body = self.ask(path, method)
        assert status == 200, (path, self.output()[-3000:])
        answer: dict[str, Any] = json.loads(body)
        assert answer["status"] == "OK", (path, answer)
        return answer

    def listed(self, registry: str, queue: str = "default") -> list[str]:
        """The ids that it shows in a registry."""
        return [job["id"] for job in self.look(f"/0/data/jobs/{queue}/{registry}/1000/asc/1.json")["jobs"]]


def routes() -> dict[str, set[str]]:
    """All that rq-dashboard answers, by itself: rule -> methods."""
    rules = make_flask_app(None, None, None, "").url_map.iter_rules()
    return {rule.rule: (rule.methods or set()) & {"GET", "POST"} for rule in rules}


def paths(rule: str, values: Mapping[str, list[str]]) -> Iterator[str]:
    """The rule with each of these values in each of its places. KeyError: a place of which `values` does not know."""
    names = re.findall(r"<(?:\w+:)?(\w+)>", rule)
    for chosen in product(*(values[name] for name in names)):
        taken = iter(chosen)
        yield re.sub(r"<[^>]+>", lambda _, taken=taken: next(taken), rule)  # type: ignore[misc]
