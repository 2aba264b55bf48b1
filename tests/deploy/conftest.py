"""Images and the compose file, made once for all of tests/deploy."""

import json
from typing import Any

import pytest

from tests.deploy.containers import IMAGES, LOAD, attempt, docker


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The images, built as `docker compose build` builds them; service -> tag."""
    assert attempt("info").returncode == 0, "no Docker engine answers: start one (these tests are not skipped)"
    docker("compose", "--profile", LOAD, "build", "--quiet", timeout_s=600)
    return {service: f"millpond-{service}" for service in IMAGES}


@pytest.fixture(scope="session")
def compose_file() -> dict[str, Any]:
    """docker-compose.yml as Compose understands it, with nothing set in the environment and Locust beside it."""
    config: dict[str, Any] = json.loads(docker("compose", "--profile", LOAD, "config", "--format", "json"))
    return config
