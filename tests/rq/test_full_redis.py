"""A Redis that is full takes nothing more, and loses nothing of what it took (rule 1)."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.servers import RedisServer
from tests.system.site import Site
from tests.until import until

JOBS = 1000
JOB_S = 0.05


def test_what_was_accepted_ends_and_nothing_more_is_accepted(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path}/record.db"
    with (
        RedisServer(tmp_path / "redis") as server,
        server.client() as redis,
        Site(tmp_path / "site", server.url, database) as site,
        site.start(workers=2).client() as api,
        site.toil(JOB_S, count=JOBS) as load,
    ):
        api.pause("default")
        load.join()
        api.resume("default")
        until(lambda: len(load.ledger.running()) >= 20, 20, "jobs run")
        used: Any = redis.info("memory")
        redis.config_set("maxmemory", used["used_memory"])
        taken, refused = [], 0
        url = site.apis[0].url
        left = len(load.unrecorded())
        assert left > JOBS / 2
        while load.unrecorded():
            if id := submit(url):
                taken.append(id)
            else:
                refused += 1
        assert refused
        load.judge()
        assert {(row.attempt, row.deaths) for row in site.record.jobs(load.name)} == {(1, 0)}
        assert not submit(url)
        redis.config_set("maxmemory", 0)
        taken.append(until(lambda: submit(url), 10, "it accepts again"))
        for id in taken:
            assert api.get(id, wait_s=10).status == "finished"
        until(lambda: redis.scard("mp:open") == 0, 20, "all is recorded")
        print(f"{left} of {JOBS} jobs were left when Redis was full; {refused} submissions were refused meanwhile, {len(taken)} accepted")
        assert "worker_taken_back" not in site.collectors[0].output()
        assert all(worker.alive for worker in site.workers)


def submit(url: str) -> str:
    """Submit once; the job's id, or nothing where it is told to try again later."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/jobs", b'{"task": "echo"}', headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return str(json.load(answer)["id"])
    except urllib.error.HTTPError as error:
        if error.code == 503 and error.headers["Retry-After"]:
            return ""
        raise
