"""rq-dashboard on a busy Millpond: every page tells what is so, every button is obeyed and recorded, and strands nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rq.command import send_stop_job_command
from rq.job import cancel_job
from rq.serializers import JSONSerializer

from tests.rq import dashboard as dashboards
from tests.rq.beside import Beside
from tests.rq.dashboard import Dashboard

SLOTS = 10
SETTINGS = {"CONCURRENCY": SLOTS, "PREFETCH": 0, "FORGET_GRACE_S": 600, "QUEUES": "default,steady"}
REGISTRIES = ("queued", "started", "scheduled", "deferred", "finished", "failed", "canceled")
BUTTONS = {
    "/job/<job_id>/delete",
    "/job/<job_id>/requeue",
    "/requeue/<queue_name>",
    "/queue/<queue_name>/<registry_name>/empty",
    "/queue/<queue_name>/compact",
}
# rq-dashboard 0.9 cannot read what rq 3.0 answers (web.py, `job_info`: `dependency_ids` are no bytes any more), of any job with depends_on.
BROKEN = "/0/data/job/{}.json"


@pytest.fixture(scope="module")
def dashboard(beside: Beside, folder: Path) -> Iterator[Dashboard]:
    with Dashboard(folder / "dashboard.log", beside.site.redis_url, *dashboards.SETTINGS) as dashboard:
        yield dashboard


@pytest.fixture(scope="module", autouse=True)
def _busy(beside: Beside) -> Iterator[None]:
    """All the while both workers have other work, on a queue that no test touches; each of its jobs runs once, as if nothing was."""
    pids = beside.pids()
    with beside.site.toil(0.02, "toil_steadily", threads=2, pace_s=0.05) as load:
        yield
        load.finish()
        load.settle()
        load.judge()
    assert {row.attempt for row in beside.site.record.jobs(load.name)} == {1}
    assert beside.pids() == pids


@pytest.fixture(autouse=True)
def _nothing_stranded(beside: Beside, gate: Path) -> Iterator[None]:
    yield
    for id in beside.queue.deferred_job_registry.get_job_ids(cleanup=False):
        beside.fetch(id).delete()
    for id in beside.queue.scheduled_job_registry.get_job_ids(cleanup=False):
        beside.api.cancel(id)
    gate.touch()
    beside.api.resume("default")
    beside.settle_own()


@pytest.fixture
def cleared(beside: Beside, dashboard: Dashboard) -> None:
    """No job that has ended is shown any more."""
    for registry in ("finished", "failed", "canceled"):
        dashboard.press(f"/queue/default/{registry}/empty")
        assert dashboard.listed(registry) == []


@pytest.fixture
def each(cleared: None, beside: Beside, gate: Path) -> dict[str, list[str]]:
    """Jobs in every registry: registry -> ids."""
    found: dict[str, list[str]] = {"started": beside.hold(gate, 3)}
    beside.running(found["started"])
    found["finished"], [fails] = [beside.submit("echo", number) for number in range(2)], [beside.submit("refuse")]
    [stops] = beside.hold(gate)
    beside.running([stops])
    send_stop_job_command(beside.redis, stops, serializer=JSONSerializer)
    found["failed"] = [fails, stops]
    found["scheduled"] = [beside.submit("echo", delay_s=600) for _ in range(2)]
    found["canceled"] = [beside.submit("echo", delay_s=600)]
    beside.api.cancel(found["canceled"][0])
    for id, status in zip(found["finished"] + found["failed"] + found["canceled"], ENDS, strict=True):
        beside.recorded(id, status)
    found["deferred"] = [beside.queue.enqueue("echo", depends_on=found["started"][0]).id]
    beside.api.pause("default")
    found["queued"] = [beside.submit("echo") for _ in range(3)]
    return found


ENDS = ("finished", "finished", "failed", "stopped", "canceled")


def test_each_route_is_called_here() -> None:
    """What can be looked at is looked at in the next test, and each button is pressed in one after it."""
    assert {rule for rule, methods in dashboards.routes().items() if "POST" in methods} == BUTTONS


def test_every_page_tells_what_is_so_and_looking_changes_nothing(beside: Beside, dashboard: Dashboard, each: dict[str, list[str]]) -> None:
    before = kept(beside, each)
    values = {
        "instance_number": ["0"],
        "filename": ["css/main.css"],
        "queue_name": ["default"],
        "registry_name": list(REGISTRIES),
        "per_page": ["2"],
        "order": ["asc", "dsc"],
        "page": ["1", "2"],
        "job_id": [ids[-1] for ids in each.values()],
    }
    for rule, methods in dashboards.routes().items():
        for path in dashboards.paths(rule, values) if "POST" not in methods else ():
            known = path == BROKEN.format(*each["deferred"])
            assert dashboard.ask(path)[0] == (500 if known else 200), (path, dashboard.output()[-3000:])
    for registry, ids in each.items():
        assert dashboard.listed(registry) == ids, registry
        for id in ids if registry != "deferred" else ():
            shown = dashboard.look(f"/0/data/job/{id}.json")
            assert (shown["id"], shown["origin"], bool(shown["description"])) == (id, "default", True)
            assert shown["status"] in ({"failed", "stopped"} if registry == "failed" else {registry})
    [queue] = [one for one in dashboard.look("/0/data/queues.json")["queues"] if one["name"] == "default"]
    counts = {registry: queue["count" if registry == "queued" else f"{registry}_job_registry_count"] for registry in REGISTRIES}
    assert counts == {registry: len(ids) for registry, ids in each.items()}
    workers = dashboard.look("/0/data/workers.json")["workers"]
    assert {(one["pid"], tuple(one["queues"])) for one in workers} == {(one.pid, ("default", "steady")) for one in beside.site.workers}
    assert kept(beside, each) == before


def test_the_workers_page_tells_what_they_run(beside: Beside, dashboard: Dashboard, gate: Path) -> None:
    held = beside.hold(gate, 2 * SLOTS)
    beside.running(held)
    for worker in dashboard.look("/0/data/workers.json")["workers"]:
        assert worker["state"] == "busy"
        assert worker["current_job"]["job_id"] in held
        assert worker["current_job"]["call_string"].startswith("hold(")


def test_without_our_settings_only_that_page_is_missing(beside: Beside, gate: Path, tmp_path: Path) -> None:
    """rq-dashboard's own fault, with any worker whose jobs are JSON; once it is mended, ops/rq-dashboard can go."""
    held = beside.hold(gate, SLOTS + 1)
    beside.running(held)
    with Dashboard(tmp_path / "dashboard.log", beside.site.redis_url, "--json") as dashboard:
        assert dashboard.ask("/0/data/workers.json")[0] == 500
        assert dashboard.ask(f"/0/view/job/{held[0]}")[0] == 200
        assert dashboard.look(f"/0/data/job/{held[0]}.json")["status"] == "started"
        assert set(held) <= set(dashboard.listed("started"))


def test_requeue(beside: Beside, dashboard: Dashboard, gate: Path) -> None:
    """A failed one and a stopped one run again; each run is on record."""
    failed, [stopped] = beside.submit("refuse"), beside.hold(gate)
    beside.recorded(failed, "failed")
    beside.running([stopped])
    send_stop_job_command(beside.redis, stopped, serializer=JSONSerializer)
    beside.recorded(stopped, "stopped")
    for id in (failed, stopped):
        dashboard.press(f"/job/{id}/requeue")
    gate.touch()
    for id, first, second in ((failed, "failed", "failed"), (stopped, "stopped", "finished")):
        assert beside.recorded(id, second, run=2).attempt == 1
        assert [(one.run, one.attempt, one.status) for one in beside.store.attempts(id)] == [(1, 1, first), (2, 1, second)]
        assert (id in dashboard.listed("finished"), id in dashboard.listed("failed")) == (second == "finished", second == "failed")


def test_requeue_all(cleared: None, beside: Beside, dashboard: Dashboard) -> None:
    """While others run. Its button sends POST; GET does the same."""
    failed = [beside.submit("refuse") for _ in range(30)]
    for run, method in ((1, "GET"), (2, "POST")):
        for id in failed:
            beside.recorded(id, "failed", run)
        assert set(dashboard.listed("failed")) == set(failed)
        assert dashboard.press("/requeue/default", method)["count"] == len(failed)
    for id in failed:
        assert beside.recorded(id, "failed", run=3).attempt == 1
        assert [(one.run, one.attempt) for one in beside.store.attempts(id)] == [(1, 1), (2, 1), (3, 1)]
    assert set(dashboard.listed("failed")) == set(failed)


def test_delete(beside: Beside, dashboard: Dashboard, each: dict[str, list[str]]) -> None:
    """A job is gone from Redis; its record stays, or says that it was deleted. What runs is stopped."""
    for registry, ids in each.items():
        dashboard.press(f"/job/{ids[0]}/delete")
        assert ids[0] not in dashboard.listed(registry)
        assert not beside.redis.exists(f"rq:job:{ids[0]}")
    for registry in ("queued", "started", "scheduled"):
        assert beside.recorded(each[registry][0], "canceled").reason == "deleted"
        assert not beside.store.attempts(each[registry][0])
    for registry in ("finished", "failed", "canceled"):
        assert beside.api.get(each[registry][0]).status == registry
    assert beside.store.get(each["deferred"][0]) is None  # no script of ours ever met it
    assert dashboard.listed("started") == each["started"][1:]
    assert {beside.api.get(id).attempt for id in each["started"][1:]} == {1}


@pytest.mark.parametrize("registry", REGISTRIES)
def test_empty(beside: Beside, dashboard: Dashboard, each: dict[str, list[str]], registry: str) -> None:
    """As if each was deleted, and nothing else happens to any other."""
    dashboard.press(f"/queue/default/{registry}/empty")
    assert dashboard.listed(registry) == []
    for id in each[registry]:
        if registry in ("queued", "started", "scheduled"):
            assert beside.recorded(id, "canceled").reason == "deleted"
        elif registry == "deferred":
            assert beside.store.get(id) is None
        else:
            assert beside.api.get(id).status in ENDS
    for other in set(REGISTRIES) - {registry}:
        assert dashboard.listed(other) == each[other], other


def test_slots_are_back_when_what_ran_was_emptied(beside: Beside, dashboard: Dashboard, gate: Path, tmp_path: Path) -> None:
    held = beside.hold(tmp_path / "never", 2 * SLOTS)
    beside.running(held)
    dashboard.press("/queue/default/started/empty")
    for id in held:
        assert beside.recorded(id, "canceled").reason == "deleted"
    after = beside.hold(gate, 2 * SLOTS)
    beside.running(after)
    assert set(dashboard.listed("started")) == set(after)
    gate.touch()
    assert {beside.recorded(id).attempt for id in after} == {1}


def test_compact(beside: Beside, dashboard: Dashboard) -> None:
    """What is stale goes, the order stays; and what is taken out and put back while workers claim runs once."""
    beside.api.pause("default")
    jobs = [beside.submit("toil", str(beside.ledger.path), 0.02) for _ in range(200)]
    beside.redis.lpush("rq:queue:default", "stale", "staler")
    dashboard.press("/queue/default/compact")
    assert dashboard.listed("queued") == jobs
    beside.api.resume("default")
    statuses = [dashboard.ask("/queue/default/compact", "POST")[0] for _ in range(5)]
    assert set(statuses) <= {200, 500}  # rq 3.0 cannot compact an empty queue: its key is not there to be renamed
    for id in jobs:
        assert beside.recorded(id).attempt == 1
    assert sorted(stint.job for stint in beside.ledger.stints() if stint.job in jobs) == sorted(jobs)


def test_cancel(beside: Beside, dashboard: Dashboard, each: dict[str, list[str]]) -> None:
    """rq-dashboard 0.9 has no button for it; what RQ's own call does is shown."""
    canceled = [each[registry][0] for registry in ("queued", "started", "scheduled")]
    for id in canceled:
        cancel_job(id, connection=beside.redis, serializer=JSONSerializer)
    for id in canceled:
        beside.recorded(id, "canceled")
        assert dashboard.look(f"/0/data/job/{id}.json")["status"] == "canceled"
    assert set(dashboard.listed("canceled")) == {*canceled, *each["canceled"]}
    for registry in ("queued", "started", "scheduled"):
        assert dashboard.listed(registry) == each[registry][1:]


def kept(beside: Beside, each: dict[str, list[str]]) -> dict[str, Any]:
    """What Redis has of these jobs, and the registries, with their ends of life."""
    names = [f"rq:job:{id}" for ids in each.values() for id in ids]
    names += [f"rq:{kind}:default" for kind in ("queue", "wip", "scheduled", "deferred", "finished", "failed", "canceled")]
    return {name: (beside.redis.dump(name), beside.redis.pexpiretime(name)) for name in names}
