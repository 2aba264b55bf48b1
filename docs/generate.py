"""Writes the pages of docs/, the tables of http.md and the lists of ops/settings/ that are made from the code:
``python docs/generate.py``; with --check, only says which are out of date."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from pydantic.fields import FieldInfo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from api import codes, orders, schemas
from loadtest.ladder.page import page as ladder
from millpond import metrics, settings, states

ROOT = Path(__file__).resolve().parent.parent

SETTINGS = """# Settings

Made by `make docs` from `millpond/settings.py`. Each is an environment variable; `NAME_FILE` names a file that holds the value instead
(for secrets). A service reads its own at its start and refuses to start, with exit status 2 and one line per fault, if any is
wrong or unknown. All services of one Millpond must name the same Redis and the same database.
"""

NAMES = """# The settings of {service} that docker-compose.yml takes from your shell or .env, where they are set there (docs/settings.md).
# Made by `make docs` from millpond/settings.py.
"""

# Said by the container's own image and files, and by secrets; a failpoint is for tests.
OF_CONTAINERS = {"host", "port", "metrics_port", "health_file", "failpoint", "redis_url", "database_url"}

METRICS = """# Metrics

Made by `make docs` from `millpond/metrics.py`. In Prometheus's text format: the API's at `/metrics` of its port, a worker's (from its
parent, over all its children) and a collector's on `MILLPOND_METRICS_PORT`. Label values that tell of an error are the codes of
[http.md](http.md#errors).
"""

STATES = """# States

Made by `make docs` from `millpond/states.py`, the table that the scripts obey. `started -> scheduled` is a retry after a failure,
`started -> queued` a hand-back or take-back; from a final state only a retry call, or a dashboard's requeue, leads on, in a new run.

"""


def settings_page() -> str:
    """Every setting, by the services that read it."""
    rows = [(_code(one.name), one.values, _code(one.default), ", ".join(one.services), one.meaning) for one in settings.describe()]
    return SETTINGS + "\n" + _table(("name", "takes", "default", "read by", "meaning"), rows)


def names(service: str) -> str:
    """The settings of one service, as an env_file without values."""
    listed = [settings.PREFIX + name.upper() for name in settings.SERVICES[service].model_fields if name not in OF_CONTAINERS]
    return NAMES.format(service=service) + "".join(f"{name}\n" for name in listed)


def metrics_page() -> str:
    """Every metric, by service."""
    rows = [(_code(one.name), one.kind, one.service, ", ".join(one.labels), one.meaning) for one in metrics.DECLARED]
    return METRICS + "\n" + _table(("name", "kind", "service", "labels", "meaning"), rows)


def states_page() -> str:
    """The moves between states, as a Mermaid diagram."""
    return STATES + f"```mermaid\n{states.drawing()}```\n"


def http_page() -> str:
    """http.md with its tables made anew; between them it is written by hand."""
    faults = {word: meaning for word, meaning in codes.FAULTS.items() if word not in codes.UNREADABLE}
    rows = [(str(code.status), _code(code.word), code.meaning) for code in codes.PROBLEMS.values()]
    tables = {
        "submission": _table(("member", "meaning"), [(_code(name), _meaning(field)) for name, field in orders.Body.model_fields.items()]),
        "job": _table(("member", "meaning"), [(_code(name), meaning) for name, meaning in schemas.JOB.items()]),
        "codes": _table(("status", "code", "meaning"), rows),
        "faults": _table(("code", "meaning"), [(_code(word), meaning) for word, meaning in faults.items()]),
    }
    place = re.compile(r"(<!-- (\w+): made by .*? -->\n).*?(<!-- end -->)", re.DOTALL)
    return place.sub(lambda part: part[1] + tables[part[2]] + part[3], (ROOT / "docs/http.md").read_text())


def ladder_page() -> str:
    """The ladder's last run as a page."""
    return ladder(json.loads((ROOT / "docs/ladder.json").read_text()))


def _meaning(field: FieldInfo) -> str:
    return f"{field.description}{' (required)' if field.is_required() else ''}"


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


PAGES: dict[str, Callable[[], str]] = {
    "docs/settings.md": settings_page,
    "docs/metrics.md": metrics_page,
    "docs/states.md": states_page,
    "docs/http.md": http_page,
    "docs/ladder.md": ladder_page,
    **{f"ops/settings/{service}.env": partial(names, service) for service in settings.SERVICES},
}


def main(check: bool) -> int:
    """Write the pages, or compare them."""
    stale = [name for name, page in PAGES.items() if not (ROOT / name).exists() or (ROOT / name).read_text() != page()]
    for name in stale:
        if check:
            print(f"{name} is out of date: make docs", file=sys.stderr)
        else:
            (ROOT / name).write_text(PAGES[name]())
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
