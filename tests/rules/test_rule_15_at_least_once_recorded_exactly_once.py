"""Rule 15. A job may run more than once when something dies; its end is recorded once; the docs say so plainly."""

import os
import signal
from pathlib import Path

import pytest

from millpond import keys
from millpond.store import Store
from tests.collector.running import Collector
from tests.processes import ROOT
from tests.proxy import RedisProxy
from tests.servers import RedisServer
from tests.until import until
from tests.worker.mill import Mill


@pytest.mark.parametrize("page", ["README.md", "docs/http.md", "ARCHITECTURE.md"])
def test_the_docs_say_so(page: str) -> None:
    text = " ".join((ROOT / page).read_text().split())
    assert "Delivery is at least once" in text
    assert "exactly once" in text


def test_a_job_whose_end_nobody_heard_of_runs_again_and_has_one_row(
    mill: Mill, redis_server: RedisServer, tmp_path: Path, store: Store
) -> None:
    with RedisProxy(redis_server.port) as proxy, mill.worker(url=proxy.url) as worker:
        held = proxy.hold("finish")
        id = mill.submit("nap", mill.file, 0.0)
        assert held.caught.wait(10)  # its function has ended
        os.kill(worker.children[0], signal.SIGKILL)
        mill.wait(id)
        assert b"done" not in held.release()  # the first outcome comes too late
        with Collector(tmp_path / "collector.log", mill.url, f"sqlite:///{tmp_path}/millpond.db"):
            until(lambda: not mill.client.scard(keys.OPEN), 10, "it is recorded")
        assert len(mill.notes("end")) == 2
        row = store.get(id)
        assert row
        assert (row.status, row.attempt, row.deaths) == ("finished", 2, 1)
        assert [(one.run, one.attempt, one.status) for one in store.attempts(id)] == [(1, 1, "failed"), (1, 2, "finished")]
