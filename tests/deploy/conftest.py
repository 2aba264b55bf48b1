"""Images and the compose file, made once for all of tests/deploy."""

import json
from typing import Any

import pytest

from tests.deploy.containers import SERVICES, attempt, docker


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """The three images, built as `docker compose build` builds them; service -> tag."""
    assert attempt("info").returncode == 0, "no Docker engine answers: start one (these tests are not skipped)"
    docker("compose", "build", "--quiet", timeout_s=600)
    return {service: f"millpond-{service}" for service in SERVICES}


@pytest.fixture(scope="session")
def compose_file() -> dict[str, Any]:
    """docker-compose.yml as Compose understands it, with nothing set in the environment."""
    config: dict[str, Any] = json.loads(docker("compose", "config", "--format", "json"))
    return config
