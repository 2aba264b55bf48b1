"""Who runs the containers can set each setting by its name: for compose in the shell or .env, for Kubernetes in a service's ConfigMap."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from pydantic.fields import FieldInfo

from millpond.settings import PREFIX, SERVICES, read
from tests.deploy.containers import docker
from tests.deploy.manifests import PRODUCTION, environment, main_container, migrate, of_kind
from tests.processes import ROOT

# Where a container listens and is asked for its health is its own affair; URLs are secrets; a failpoint is for tests.
FIXED = {"host", "port", "health_file", "failpoint", "redis_url", "database_url"}


def another(field: FieldInfo) -> str:
    """A value that is not the setting's default, where there is one."""
    if get_origin(field.annotation) is Literal:
        return str(next((value for value in get_args(field.annotation) if value != field.default), field.default))
    if field.annotation is bool:
        return "off" if field.default else "on"
    if field.annotation is int:
        return str(field.default + 1)
    return str(field.default / 2) if field.annotation is float else "other"


def settable(service: str) -> dict[str, str]:
    """The variables that a service can be told, each with another value than its own."""
    fields = SERVICES[service].model_fields
    return {PREFIX + name.upper(): another(field) for name, field in fields.items() if name not in FIXED}


def takes(service: str, variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The service, started with these variables, has the values of `settable` and no fault to tell."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    default = read(SERVICES[service])
    for name, value in variables.items():
        if not name.endswith("_FILE"):  # of a secret, which is in the container
            monkeypatch.setenv(name, value)
    told = read(SERVICES[service])
    same = {name for name in told.model_fields_set if getattr(told, name) == getattr(default, name)}
    assert same <= {"pool"}  # which has one value
    assert {PREFIX + name.upper() for name in told.model_fields_set} >= settable(service).keys()


@pytest.mark.parametrize("place", ["the shell", ".env"])
@pytest.mark.parametrize("service", SERVICES)
def test_compose_takes_every_setting_from(service: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = tmp_path / ".env"
    given = settable(service)
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in given.items()) if place == ".env" else "")
    shell = given if place == "the shell" else {}
    config = json.loads(docker("compose", "--env-file", dotenv, "config", "--format", "json", env=shell))
    variables = config["services"]["migrate" if service == "store" else service]["environment"]
    assert {name: variables.get(name) for name in given} == given
    takes(service, variables, monkeypatch)


@pytest.mark.parametrize("service", SERVICES)
def test_a_config_map_takes_every_setting(service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = settable(service)
    workload = "collector" if service == "store" else service
    literals = [f"{name}={value}" for name, value in given.items()]
    overlay: dict[str, Any] = {
        "namespace": "millpond",
        "resources": [os.path.relpath(ROOT / PRODUCTION, tmp_path.resolve())],
        "configMapGenerator": [{"name": f"{workload}-settings", "behavior": "merge", "literals": literals}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    folder = str(tmp_path)
    container = migrate(of_kind(folder, "Deployment")[workload]) if service == "store" else main_container(folder, service)
    variables = environment(folder, container)
    assert {name: variables.get(name) for name in given} == given
    takes(service, variables, monkeypatch)
