"""docker-compose.yml: what it promises about every container, and the real thing under a name and a port of its own."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from millpond.client import Client
from millpond.views import JobView
from tests.api.test_abuse import NEXT, SMUGGLING
from tests.deploy.containers import LOAD, Project, attempt, paused
from tests.pace import within
from tests.processes import ROOT, free_port
from tests.until import holds, until

pytestmark = pytest.mark.timeout(600)  # the first build downloads packages

ONE_SHOT = "migrate"


def test_the_file_is_valid_with_nothing_set() -> None:
    said = attempt("compose", "config", "--quiet")
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_every_container_is_locked_down_and_bounded(compose_file: dict[str, Any]) -> None:
    for name, service in compose_file["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["init"] is True, name
        assert service["pids_limit"] > 0, name
        assert int(service["mem_limit"]) > 0, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        assert "privileged" not in service, name
        # An image that is not ours is told who to be.
        assert "user" in service or service["image"].startswith("millpond-"), name
        if name != ONE_SHOT:
            assert service["restart"] == "unless-stopped", name
            assert service["stop_grace_period"], name


def test_whatever_can_be_scaled_can_be_scaled(compose_file: dict[str, Any]) -> None:
    for name, service in compose_file["services"].items():
        assert "container_name" not in service, name
        assert ("ports" in service) == (name in ("proxy", LOAD)), name


def test_what_is_published_is_published_on_this_machine_alone(compose_file: dict[str, Any]) -> None:
    for name, service in compose_file["services"].items():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", [])), name


def test_redis_and_postgres_have_no_way_out_and_proxy_and_locust_no_way_to_them(compose_file: dict[str, Any]) -> None:
    services = compose_file["services"]
    assert compose_file["networks"]["data"]["internal"] is True
    assert services["redis"]["networks"].keys() == services["postgres"]["networks"].keys() == {"data"}
    assert services["proxy"]["networks"].keys() == services[LOAD]["networks"].keys() == {"default"}


@pytest.fixture(scope="module")
def project(images: dict[str, str]) -> Iterator[Project]:
    with Project("millpond-test", free_port()) as project:
        project.up()
        yield project
    for kind in ("container", "volume", "network"):
        assert attempt(kind, "ls", "--quiet", "--filter", f"label=com.docker.compose.project={project.name}").stdout == ""


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with Client(project.url) as client:
        yield client


def recorded(client: Client, id: str, timeout_s: float) -> JobView:
    """Wait until the end of a job is on record."""

    def look() -> JobView | None:
        seen = client.get(id)
        return seen if seen.recorded_at else None

    found = until(look, timeout_s, f"{id} is recorded")
    assert found
    return found


def at_work(client: Client, count: int) -> list[JobView]:
    """So many jobs of six seconds that all run: it takes a while to pause three containers."""
    jobs = [client.submit("sleep", 6) for _ in range(count)]
    until(lambda: statuses(client, jobs) == {"started"}, 20, "all of them run")
    return jobs


def statuses(client: Client, jobs: list[JobView]) -> set[str]:
    """In which states jobs are."""
    return {client.get(job.id).status for job in jobs}


def ends(client: Client, jobs: list[JobView]) -> set[tuple[str, int]]:
    """How jobs are recorded, and after how many attempts."""
    return {(ended.status, ended.attempt) for ended in (recorded(client, job.id, 30) for job in jobs)}


def burst(project: Project, requests: int, *options: str) -> str:
    """The load script against the project; what it printed."""
    size = ["--requests", str(requests), "--processes", "10", "--timeout", str(within(3))]
    command = [sys.executable, "-m", "loadtest", "burst", "--url", project.url, *size, *options]
    said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=ROOT)
    assert said.returncode == 0, f"{said.stdout}{said.stderr}\n{project.logs()}"
    return said.stdout


# The tests below share one project and go on where the one before stopped.


def test_all_is_healthy_when_up_returns(project: Project) -> None:
    assert project.states() == {
        "redis": ["running healthy"],
        "postgres": ["running healthy"],
        "migrate": ["exited 0"],
        "api": ["running healthy"],
        "worker": ["running healthy"],
        "collector": ["running healthy"],
        "proxy": ["running healthy"],
    }


def test_a_job_is_submitted_run_and_recorded(client: Client) -> None:
    job = client.submit("sleep", 0.1, wait_s=10)
    assert job.status == "finished"
    seen = recorded(client, job.id, 10)
    assert seen.attempt == 1
    assert seen.worker


def test_jobs_run_in_a_worker_that_can_write_nowhere_but_tmp(client: Client) -> None:
    """Processes need semaphores, greenlets a hub of their own."""
    for task in ("cluster_info_processes", "cluster_info_gevent"):
        job = client.submit(task, seconds=0.01, wait_s=60)
        assert job.status == "finished", job.error


# A classic job sleeps for a second.
@pytest.mark.parametrize(("requests", "form"), [(500, []), (100, ["--classic"])], ids=["v1", "classic"])
def test_the_articles_load_loses_nothing(project: Project, requests: int, form: list[str]) -> None:
    said = burst(project, requests, *form)
    assert "100.0% request success!" in said
    assert f"accepted {requests} recorded {requests} lost 0 duplicate 0" in said


def test_more_replicas_join_while_it_runs(project: Project, client: Client) -> None:
    project.up("--no-recreate", "--scale", "api=2", "--scale", "worker=3", "--scale", "collector=2")
    states = project.states()
    assert {name: len(states[name]) for name in ("api", "worker", "collector")} == {"api": 2, "worker": 3, "collector": 2}
    assert set(states["api"] + states["worker"] + states["collector"]) == {"running healthy"}
    until(lambda: len(client.workers()) == 3, 10, "three workers are known")


def test_the_proxy_finds_every_api_replica(project: Project, client: Client) -> None:
    def both_serve() -> bool:
        for _ in range(4):
            client.submit("sleep", 0)
        return all(served(project, replica) for replica in (1, 2))

    until(both_serve, 30, "both API replicas answer submissions")


def served(project: Project, replica: int) -> bool:
    """Whether one API replica has answered a submission, by its own count."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8888/metrics').read().decode())"
    metrics = project.compose("exec", "-T", "--index", str(replica), "api", "python", "-c", ask)
    return "\nmillpond_submissions_total{" in metrics


def test_smuggling_forms_reach_nobody_through_the_proxy(project: Project) -> None:
    """Whatever proxy and replica make of each form, they make the same of it: what follows is nobody else's request."""
    forms = {form: sent + NEXT for form, sent in SMUGGLING.items() if form != "HTTP/2"}  # which the proxy speaks
    with ThreadPoolExecutor(len(forms)) as pool:
        for form, said in zip(forms, pool.map(project.send, forms.values()), strict=True):
            assert 1 <= len(said) <= 2, form
            assert all(answer.status < 500 for answer in said), form
    for _ in range(20):
        (answer,) = project.send(b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert (answer.status, "version" in answer.problem) == (200, True)
    queues = project.send(b"GET /v1/queues HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")[0].problem
    assert {queue["queued"] for queue in queues["queues"]} <= {0}


def test_the_proxy_passes_on_what_the_api_refuses_better(project: Project) -> None:
    """A head that is too long for the API is not too long for the proxy, whose answer would be a page."""
    for target, header, code in (("/" * 9000, "", "url_too_long"), ("/livez", "x" * 16_384, "headers_too_large")):
        (answer,) = project.send(f"GET {target} HTTP/1.1\r\nHost: a\r\nX-Long: {header}\r\n\r\n".encode())
        assert answer.problem["code"] == code


def test_a_worker_that_is_paused_for_a_moment_keeps_its_jobs(project: Project, client: Client) -> None:
    jobs = at_work(client, 12)
    with paused(project, "worker"):
        holds(lambda: statuses(client, jobs) == {"started"}, 0.5, "none is taken back")
    assert ends(client, jobs) == {("finished", 1)}


def test_a_worker_that_is_paused_for_long_ends_nothing_that_was_taken_back(project: Project, client: Client) -> None:
    jobs = at_work(client, 12)
    with paused(project, "worker"):
        until(lambda: statuses(client, jobs) == {"queued"}, 15, "all are taken back, and nobody is there to run them")
    assert ends(client, jobs) == {("finished", 2)}


def test_jobs_outlive_a_restart_of_redis(project: Project, client: Client) -> None:
    waiting = [client.submit("sleep", 0.1, delay_s=3) for _ in range(20)]
    running = [client.submit("sleep", 4) for _ in range(20)]
    project.compose("restart", "--timeout", "10", "redis")
    for job in waiting + running:
        ended = recorded(client, job.id, 60)
        assert ended.status == "finished", ended.error


def test_each_service_leaves_by_itself_when_it_is_told_to_stop(project: Project) -> None:
    project.compose("stop", timeout_s=120)
    states = project.states()
    # 137 is who had to be killed. Proxy and servers stop by their own signals.
    assert {state for name in ("api", "worker", "collector") for state in states[name]} == {"exited 0"}
    assert "exited 137" not in {state for found in states.values() for state in found}
