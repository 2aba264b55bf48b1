"""A batch on the whole path: uploaded by the client, run by a worker, on record once."""

from pathlib import Path

import httpx2
import orjson

from tests.system.site import Site
from tests.until import until

COUNT = 1_000


def test_every_line_runs_and_is_recorded_once(folder: Path, redis_server_url: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with Site(folder, redis_server_url, f"sqlite:///{folder}/record.db") as site:
        site.start(collectors=2)
        with site.client() as client:
            bodies = [{"task": "toil", "args": [str(ledger)], "tags": {"load": "batch", "n": str(n)}} for n in range(COUNT)]
            batch = client.submit_many(bodies, idempotency_key="k")
            assert (batch["accepted"], batch["complete"]) == (COUNT, True)
            assert client.submit_many(iter(bodies), idempotency_key="k")["id"] == batch["id"]
        url = f"{site.apis[0].url}/v1/batches/{batch['id']}"
        until(lambda: httpx2.get(url).json()["counts"]["finished"] == COUNT, 60, "all jobs have finished")
        until(lambda: sum(row.final for row in site.record.jobs("batch")) == COUNT, 30, "all jobs are recorded")
        rows = site.record.jobs("batch")
        assert sorted(row.n or 0 for row in rows) == list(range(COUNT))
        assert {row.id for row in rows} == {f"{batch['id']}{line:08x}" for line in range(1, COUNT + 1)}
        assert len(site.record.attempts({row.id for row in rows})) == COUNT
        assert sum(" begin " in line for line in ledger.read_text().splitlines()) == COUNT
        results = [orjson.loads(line) for line in httpx2.get(f"{url}/results").content.splitlines()]
        assert [one["line"] for one in results] == list(range(1, COUNT + 1))
        assert {(one["status"], one["result"]["attempt"]) for one in results} == {("finished", 1)}
