"""One running Millpond for each module; its settings are the module's `SETTINGS`, the number of its workers `WORKERS`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rq.beside import Beside
from tests.system.conftest import folder, redis_server_url  # noqa: F401
from tests.system.site import Site


@pytest.fixture(scope="module")
def beside(request: pytest.FixtureRequest, folder: Path, redis_server_url: str) -> Iterator[Beside]:  # noqa: F811
    settings = getattr(request.module, "SETTINGS", {})
    with Site(folder, redis_server_url, f"sqlite:///{folder}/record.db", **settings) as site:
        site.start(workers=getattr(request.module, "WORKERS", 2))
        with Beside(site) as beside:
            yield beside


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Path]:
    """What holds jobs back until it exists; at the latest when the test ends."""
    gate = tmp_path / "gate"
    yield gate
    gate.touch()
