"""compose, k8s, Dockerfile, the servers' configuration and `millpond.settings` say the same, each thing that more than one of them says."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from millpond.settings import PREFIX, SERVICES, describe
from tests.deploy.containers import inspect
from tests.deploy.manifests import LOCAL, PRODUCTION, WORKLOADS, containers, environment, main_container, migrate, of_kind, pod
from tests.processes import ROOT

pytestmark = pytest.mark.timeout(600)  # the first build downloads packages

Compose = dict[str, Any]

OURS = ("api", "worker", "collector")
SERVERS = ("redis", "postgres")
DEFAULTS = {one.name: one.default for one in describe()}
UNITS = {"Mi": 2**20, "Gi": 2**30}


def default(setting: str) -> str:
    return DEFAULTS[PREFIX + setting]


def seconds(duration: str) -> float:
    """A duration as Compose prints it, "1m30s"."""
    return sum(float(number) * {"m": 60, "s": 1}[unit] for number, unit in re.findall(r"([\d.]+)(m|s)", duration))


def settings_of(service: str) -> set[str]:
    """The variables that a service reads."""
    names = {PREFIX + name.upper() for name in SERVICES[service].model_fields}
    return names | {f"{name}_FILE" for name in names}


def told(variables: dict[str, str | None]) -> dict[str, str]:
    """What variables tell a service beyond its defaults."""
    return {name: value for name, value in variables.items() if value is not None and value != DEFAULTS.get(name)}


@pytest.mark.parametrize(("container", "service"), [("api", "api"), ("worker", "worker"), ("collector", "collector"), ("migrate", "store")])
def test_every_variable_in_compose_is_a_setting_of_its_service(compose_file: Compose, container: str, service: str) -> None:
    assert compose_file["services"][container]["environment"].keys() <= settings_of(service)


@pytest.mark.parametrize("folder", [LOCAL, PRODUCTION])
@pytest.mark.parametrize("service", OURS)
def test_every_variable_in_k8s_is_a_setting_of_its_service(folder: str, service: str) -> None:
    assert environment(folder, main_container(folder, service)).keys() <= settings_of(service)
    workload = of_kind(folder, "Deployment")[service]
    if "initContainers" in pod(workload):
        assert environment(folder, migrate(workload)).keys() <= settings_of("store")


@pytest.mark.parametrize("service", OURS)
def test_every_variable_in_an_image_is_a_setting_of_its_service(images: dict[str, str], service: str) -> None:
    names = {entry.partition("=")[0] for entry in inspect(images[service])["Env"]}
    assert {name for name in names if name.startswith(PREFIX)} <= settings_of(service)


@pytest.mark.parametrize("service", OURS)
def test_compose_and_k8s_tell_a_service_the_same(compose_file: Compose, service: str) -> None:
    assert told(compose_file["services"][service]["environment"]) == told(dict(environment(LOCAL, main_container(LOCAL, service))))


def test_the_classic_calls_are_off_in_production() -> None:
    assert environment(LOCAL, main_container(LOCAL, "api"))["MILLPOND_CLASSIC"] == "on"
    assert environment(PRODUCTION, main_container(PRODUCTION, "api"))["MILLPOND_CLASSIC"] == "off"


@pytest.mark.parametrize("service", ["worker", "api"])
def test_nobody_renames_a_queue(compose_file: Compose, service: str) -> None:
    """Workers serve the queue that tasks go to when they name none; who sets another sets it for both."""
    assert compose_file["services"][service]["environment"].get("MILLPOND_QUEUES") is None
    assert "MILLPOND_QUEUES" not in environment(LOCAL, main_container(LOCAL, service))


@pytest.mark.parametrize("service", [*OURS, *SERVERS])
def test_the_same_image_user_and_memory(compose_file: Compose, images: dict[str, str], service: str) -> None:
    composed, run = compose_file["services"][service], main_container(LOCAL, service)
    assert run["image"].removesuffix(":latest") == composed["image"]
    context = pod(of_kind(LOCAL, *WORKLOADS)[service])["securityContext"]
    user = inspect(images[service])["User"] if service in images else composed["user"]
    assert user == f"{context['runAsUser']}:{context['runAsGroup']}"
    number, unit = re.fullmatch(r"(\d+)(\w+)", run["resources"]["limits"]["memory"]).groups()  # type: ignore[union-attr]
    assert int(number) * UNITS[unit] == int(composed["mem_limit"])


def test_the_same_command(compose_file: Compose) -> None:
    composed = compose_file["services"]
    for service in OURS:
        # The image's own, in both.
        assert composed[service]["command"] is None
        assert main_container(LOCAL, service).keys().isdisjoint({"command", "args"})
    assert composed["redis"]["command"] == main_container(LOCAL, "redis")["args"]
    for service in ("api", "collector"):
        schema = migrate(of_kind(LOCAL, "Deployment")[service])
        assert schema["command"] == composed["migrate"]["command"]
        assert schema["image"].removesuffix(":latest") == composed["migrate"]["image"]


def test_one_port_from_the_setting_to_the_user(compose_file: Compose, images: dict[str, str]) -> None:
    port = int(default("PORT"))
    config = inspect(images["api"])
    assert list(config["ExposedPorts"]) == [f"{port}/tcp"]
    assert urlsplit(config["Healthcheck"]["Test"][-1]).port == port
    (published,) = compose_file["services"]["proxy"]["ports"]
    assert (published["target"], published["published"], published["host_ip"]) == (port, str(port), "127.0.0.1")
    proxy = (ROOT / "ops/haproxy/haproxy.cfg").read_text()
    assert re.findall(r"^ +bind :(\d+)$", proxy, re.M) == [str(port)]
    assert re.findall(r"server-template \w+ \d+ api:(\d+) ", proxy) == [str(port)]
    assert [one["containerPort"] for one in main_container(LOCAL, "api")["ports"]] == [port]
    assert [one["port"] for one in of_kind(LOCAL, "Service")["api"]["spec"]["ports"]] == [port]


def test_each_is_given_longer_to_stop_than_it_takes(compose_file: Compose) -> None:
    for service, own in (("api", default("DRAIN_S")), ("worker", default("GRACE_S")), ("collector", "10")):
        composed = seconds(compose_file["services"][service]["stop_grace_period"])
        run = main_container(LOCAL, service)
        sleep = run.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod(of_kind(LOCAL, "Deployment")[service])["terminationGracePeriodSeconds"] - sleep == composed
        assert composed >= float(own) + 10
    proxy = (ROOT / "ops/haproxy/haproxy.cfg").read_text()
    (hard_stop,) = re.findall(r"hard-stop-after (\w+)", proxy)
    assert seconds(compose_file["services"]["proxy"]["stop_grace_period"]) > seconds(hard_stop)


@pytest.mark.parametrize("service", ["worker", "collector"])
def test_the_same_health_check(images: dict[str, str], service: str) -> None:
    config = inspect(images[service])
    check = config["Healthcheck"]["Test"][1:]
    run = main_container(LOCAL, service)
    assert run["livenessProbe"]["exec"]["command"] == run["startupProbe"]["exec"]["command"] == check
    # The file that is asked is the one that the service touches.
    assert f"MILLPOND_HEALTH_FILE={check[3]}" in config["Env"]


def test_the_same_question_whether_the_api_is_ready(images: dict[str, str]) -> None:
    path = main_container(LOCAL, "api")["readinessProbe"]["httpGet"]["path"]
    assert urlsplit(inspect(images["api"])["Healthcheck"]["Test"][-1]).path == path
    assert f"http-check send meth GET uri {path} " in (ROOT / "ops/haproxy/haproxy.cfg").read_text()


def test_every_secret_file_is_where_its_variable_says(compose_file: Compose) -> None:
    for name, service in compose_file["services"].items():
        mounted = {secret["target"] for secret in service.get("secrets", [])}
        assert {value for key, value in (service.get("environment") or {}).items() if key.endswith("_FILE")} == mounted, name
    for workload in of_kind(LOCAL, *WORKLOADS).values():
        secrets = {volume["name"]: volume["secret"] for volume in pod(workload)["volumes"] if "secret" in volume}
        for one in containers(pod(workload)):
            files = {f"{mount['mountPath']}/{key}" for mount in one["volumeMounts"] for key in keys_of(secrets.get(mount["name"]))}
            assert {value for key, value in environment(LOCAL, one).items() if key.endswith("_FILE")} <= files


def keys_of(secret: dict[str, Any] | None) -> list[str]:
    """The files that a secret's volume shows."""
    if not secret:
        return []
    return [item["path"] for item in secret.get("items", [])] or list(of_kind(LOCAL, "Secret")[secret["secretName"]]["data"])


def test_a_worker_cannot_read_the_databases_address(compose_file: Compose) -> None:
    assert [secret["source"] for secret in compose_file["services"]["worker"]["secrets"]] == ["redis-url"]
    volumes = {volume["name"]: volume for volume in pod(of_kind(LOCAL, "Deployment")["worker"])["volumes"]}
    assert keys_of(volumes["urls"]["secret"]) == ["redis-url"]


def test_the_demo_secrets_open_the_demo_servers(compose_file: Compose) -> None:
    redis, database = (urlsplit((ROOT / "ops/demo" / name).read_text().strip()) for name in ("redis-url", "database-url"))
    postgres = compose_file["services"]["postgres"]["environment"]
    assert database.password == (ROOT / "ops/demo/postgres-password").read_text().strip()
    assert (database.username, database.path) == (postgres["POSTGRES_USER"], f"/{postgres['POSTGRES_DB']}")
    in_k8s = environment(LOCAL, main_container(LOCAL, "postgres"))
    assert {key: value for key, value in in_k8s.items() if key != "PGDATA"} == postgres
    for url in (redis, database):
        assert url.hostname in compose_file["services"]
        (port,) = of_kind(LOCAL, "Service")[url.hostname or ""]["spec"]["ports"]
        assert port["port"] == url.port
        assert [one["containerPort"] for one in main_container(LOCAL, url.hostname or "")["ports"]] == [url.port]


def test_redis_is_told_to_stop_taking_before_its_container_is_killed(compose_file: Compose) -> None:
    (limit,) = re.findall(r"^maxmemory (\d+)mb$", (ROOT / "ops/redis/redis.conf").read_text(), re.M)
    assert int(limit) * 2**20 * 2 <= int(compose_file["services"]["redis"]["mem_limit"])


def test_k8s_starts_redis_with_the_file_that_compose_mounts() -> None:
    (conf,) = (one for name, one in of_kind(LOCAL, "ConfigMap").items() if name.startswith("redis-conf"))
    assert conf["data"] == {"redis.conf": (ROOT / "ops/redis/redis.conf").read_text()}
    assert json.dumps(pod(of_kind(LOCAL, "StatefulSet")["redis"])["volumes"]).count(conf["metadata"]["name"]) == 1


def test_network_policies_allow_the_ports_that_are_used() -> None:
    policies = of_kind(LOCAL, "NetworkPolicy")
    services = of_kind(LOCAL, "Service")
    for name, needs in {"api": ("redis", "postgres"), "worker": ("redis",), "collector": ("redis", "postgres")}.items():
        allowed = {port["port"] for rule in policies[name]["spec"]["egress"] for port in rule["ports"]}
        assert {services[need]["spec"]["ports"][0]["port"] for need in needs} <= allowed
        for need in needs:
            (rule,) = policies[need]["spec"]["ingress"]
            assert name in rule["from"][0]["podSelector"]["matchExpressions"][0]["values"]
            assert [port["port"] for port in rule["ports"]] == [services[need]["spec"]["ports"][0]["port"]]
    assert "worker" not in json.dumps(policies["postgres"])
