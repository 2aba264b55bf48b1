"""Docker as the tests use it: images built once, containers and compose projects that are always taken away again."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.api.raw import Answer, answers
from tests.api.replica import receive
from tests.processes import ROOT

SERVICES = ("api", "worker", "collector")
LOAD = "load"  # Locust, a profile of its own
IMAGES = (*SERVICES, LOAD)


def docker(*words: str | Path, timeout_s: float = 60.0, env: Mapping[str, str] | None = None) -> str:
    """Run ``docker ...`` in the project's root and answer what it printed; an AssertionError with all of it if it failed."""
    said = attempt(*words, timeout_s=timeout_s, env=env)
    assert said.returncode == 0, f"docker {' '.join(map(str, words))}\n{said.stdout}{said.stderr}"
    return said.stdout


def attempt(*words: str | Path, timeout_s: float = 60.0, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """As `docker`, when failing is an answer too. A shell's own MILLPOND_* and COMPOSE_* do not reach it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MILLPOND_", "COMPOSE_"))}
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=False, timeout=timeout_s, cwd=ROOT, env=environment | dict(env or {})
    )


def inspect(image: str) -> dict[str, Any]:
    """What an image says about how it runs (docker's Config)."""
    config: dict[str, Any] = json.loads(docker("image", "inspect", image))[0]["Config"]
    return config


def locked_down(image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a command in an image as compose and Kubernetes do: read-only root, no capability, no way to gain one, and no network."""
    flags = ["--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none"]
    return docker("run", "--rm", *flags, *options, image, *command)


def send(port: int, sent: bytes, rest: bytes = b"") -> list[Answer]:
    """These bytes over a connection of their own, the rest after a 100 Continue, and all answers until it is closed or silent for as
    long as anything may take."""
    with socket.create_connection(("127.0.0.1", port), 12) as connection:
        connection.sendall(sent)
        if rest:
            assert connection.recv(1024).startswith(b"HTTP/1.1 100 ")
            connection.sendall(rest)
        return list(answers(receive(connection)))


class Project:
    """The compose file under a name and a port of its own, and what else it is told: options of ``docker compose``, variables.
    Leaving it takes containers, networks and volumes away."""

    def __init__(self, name: str, port: int, *options: str, env: Mapping[str, str] | None = None) -> None:
        self.name = f"{name}-{os.getpid()}"
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.env = {"MILLPOND_PORT": str(port)} | dict(env or {})
        self._words = ("compose", "--project-name", self.name, *options)

    def compose(self, *words: str, timeout_s: float = 60.0) -> str:
        """Run ``docker compose ...`` on this project."""
        return docker(*self._words, *words, timeout_s=timeout_s, env=self.env)

    def up(self, *words: str, timeout_s: float = 120.0) -> None:
        """Bring it up as a user does, until every healthcheck is passed."""
        said = attempt(*self._words, "up", "--detach", "--wait", *words, timeout_s=timeout_s, env=self.env)
        assert said.returncode == 0, f"{said.stderr}\n{self.logs()}"

    def send(self, sent: bytes) -> list[Answer]:
        """As `containers.send`, to the proxy."""
        return send(self.port, sent)

    def states(self) -> dict[str, list[str]]:
        """Each service's containers: "running healthy", "exited 0" ..."""
        found: dict[str, list[str]] = {}
        for line in self.compose("ps", "--all", "--format", "json").splitlines():
            one = json.loads(line)
            detail = one["ExitCode"] if one["State"] == "exited" else one["Health"]
            found.setdefault(one["Service"], []).append(f"{one['State']} {detail}")
        return found

    def logs(self, *services: str) -> str:
        """The last lines of each container."""
        return self.compose("logs", "--no-color", "--tail", "40", *services)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # What is still open is the test's own; nobody waits for it to drain.
        self.compose("down", "--volumes", "--timeout", "3", timeout_s=120)


@contextmanager
def paused(project: Project, service: str) -> Iterator[None]:
    """All containers of a service stand still for the block."""
    project.compose("pause", service)
    try:
        yield
    finally:
        project.compose("unpause", service)
