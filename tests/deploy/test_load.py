"""Locust beside the stack (`docker compose --profile load up`): its page, and one run of its users, driven as the page drives it."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from millpond.client import Client
from millpond.views import JobView
from tests.deploy.containers import LOAD, Project, attempt, docker, inspect, paused
from tests.pace import within
from tests.processes import free_port
from tests.until import until

pytestmark = pytest.mark.timeout(600)  # the first build downloads packages

Stats = dict[str, Any]  # what /stats/requests answers

CLASSIC, V1, WAITING = "GET /", "POST /v1/jobs", "POST /v1/jobs wait=5"


def test_the_stack_comes_up_without_it_unless_it_is_asked_for() -> None:
    assert LOAD not in docker("compose", "config", "--services").split()
    assert LOAD in docker("compose", "--profile", LOAD, "config", "--services").split()


def test_one_port_from_locust_to_the_user_and_time_enough_to_stop(compose_file: dict[str, Any], images: dict[str, str]) -> None:
    (published,) = compose_file["services"][LOAD]["ports"]
    assert (published["target"], published["published"]) == (8089, "8089")
    config = inspect(images[LOAD])
    assert list(config["ExposedPorts"]) == ["8089/tcp"]
    assert urlsplit(config["Healthcheck"]["Test"][-1]).port == 8089
    assert float(compose_file["services"][LOAD]["stop_grace_period"].rstrip("s")) >= float(config["Cmd"][-1]) + 10
    host = urlsplit(compose_file["services"][LOAD]["environment"]["LOCUST_HOST"])
    assert (host.hostname, host.port) == ("proxy", compose_file["services"]["proxy"]["ports"][0]["target"])


@pytest.fixture(scope="module")
def page_url() -> str:
    return f"http://127.0.0.1:{free_port()}"


@pytest.fixture(scope="module")
def project(images: dict[str, str], page_url: str) -> Iterator[Project]:
    # A classic job sleeps for a second, and hundreds are made.
    env = {"MILLPOND_LOAD_PORT": str(urlsplit(page_url).port), "MILLPOND_CONCURRENCY": "200"}
    with Project("millpond-load-test", free_port(), "--profile", LOAD, env=env) as project:
        project.up()
        yield project
    assert attempt("container", "ls", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={project.name}").stdout == ""


@pytest.fixture
def page(project: Project, page_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=page_url, trust_env=False, timeout=30) as page:
        yield page


def swarm(page: httpx2.Client, **fields: str) -> None:
    """What the page's button sends: six users at once, and what else stands in its form."""
    said = page.post("/swarm", data={"user_count": "6", "spawn_rate": "6", **fields})
    assert (said.status_code, said.json()["success"]) == (200, True), said.text


def stats(page: httpx2.Client) -> Stats:
    found: Stats = page.get("/stats/requests").json()
    return found


def made(said: Stats) -> dict[str, int]:
    """How many calls of each kind were made."""
    return {f"{one['method']} {one['name']}": one["num_requests"] for one in said["stats"] if one["name"] != "Aggregated"}


def failures(said: Stats) -> str:
    """What went wrong, each kind once."""
    return "\n".join(one["error"] for one in said["errors"])


def stopped(page: httpx2.Client) -> Stats:
    """Tell the users to stop; the last figures, when none is left."""
    assert page.post("/stop").json()["success"] is True
    return until(lambda: said if (said := stats(page))["state"] == "stopped" else None, 20, "Locust has stopped") or {}


def all_recorded(client: Client) -> list[JobView]:
    """Every job that this Millpond was ever given, when none is open."""
    until(lambda: client.stats()["open"] == 0, 60, "all that was accepted is recorded", every_s=0.2)
    return list(client.list(limit=500))


# The tests below share one project and go on where the one before stopped.


def test_the_page_is_served_with_its_form_filled_in(page: httpx2.Client) -> None:
    answer = page.get("/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    filled = json.JSONDecoder().raw_decode(answer.text.partition("templateArgs = ")[2])[0]
    assert (filled["host"], filled["available_user_classes"]) == ("http://proxy:8888", ["Classic", "V1", "Waiting"])
    told = {name: option["default_value"] for name, option in filled["extra_options"].items()}
    assert told == {"task": "sleep", "args": "[0.01]", "timeout": 3.0}


def test_an_answer_that_is_not_what_it_should_be_and_one_that_comes_too_late_are_failures(project: Project, page: httpx2.Client) -> None:
    swarm(page, user_classes="V1", task="nobody_registered_this")
    until(lambda: "422 unknown_task" in failures(stats(page)), 20, "answers came", every_s=0.2)
    with paused(project, "api"):
        until(lambda: "read timeout=3.0" in failures(stats(page)), 20, "none came in time", every_s=0.2)
    assert stopped(page)["fail_ratio"] == 1
    with Client(project.url, timeout_s=30) as client:
        client.version()  # by now the proxy has found the API again


def test_arguments_that_cannot_be_read_are_told(page: httpx2.Client) -> None:
    swarm(page, user_classes="V1", args='{"seconds": 1}')
    (told,) = until(lambda: page.get("/exceptions").json()["exceptions"], 20, "the page shows an exception", every_s=0.2)
    assert told["msg"] == "args: a JSON array is expected"
    page.post("/stop")


def test_its_users_make_every_call_and_each_accepted_job_is_recorded_once(project: Project, page: httpx2.Client) -> None:
    swarm(page, host="http://proxy:8888", task="sleep", args="[0.01]", timeout=str(within(3)))
    until(lambda: made(now := stats(page)).keys() == {CLASSIC, V1, WAITING} and sum(made(now).values()) > 100, 60, "all were made")
    said = stopped(page)
    assert (said["errors"], said["fail_ratio"], said["user_count"]) == ([], 0, 0)
    calls = made(said)
    with Client(project.url) as client:
        jobs = all_recorded(client)
    classic = [job.tags["job_id"] for job in jobs if "job_id" in job.tags]
    burst = [job.tags["n"] for job in jobs if "burst" in job.tags]
    assert (len(classic), len(burst)) == (calls[CLASSIC], calls[V1] + calls[WAITING])
    assert len({*classic, *burst}) == len(jobs) == sum(calls.values())
    assert len({job.tags["burst"] for job in jobs if "burst" in job.tags}) == 1
    assert {(job.status, job.attempt) for job in jobs} == {("finished", 1)}


def test_it_leaves_by_itself_when_it_is_told_to_stop(project: Project) -> None:
    project.compose("stop", LOAD)
    assert project.states()[LOAD] == ["exited 0"]
