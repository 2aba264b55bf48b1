"""What k8s/ renders to is valid, restricted and complete."""

import kubernetes_validate
import pytest

from tests.deploy.manifests import LOCAL, PRODUCTION, WORKLOADS, Manifest, containers, name_of, of_kind, pod, render
from tests.deploy.pod_security import violations

OVERLAYS = (LOCAL, PRODUCTION)
MADE_BY_THE_OPERATOR = {PRODUCTION: {"urls"}, LOCAL: set()}


def probed(workload: Manifest) -> Manifest:
    """The one container that serves."""
    (only,) = pod(workload)["containers"]
    found: Manifest = only
    return found


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_object_is_valid_to_the_last_field(folder: str) -> None:
    objects = render(folder)
    assert {"Namespace", "Deployment", "Service", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy"} <= {one["kind"] for one in objects}
    for one in objects:
        kubernetes_validate.validate(one, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.parametrize("folder", OVERLAYS)
def test_all_is_in_one_namespace_that_enforces_restricted(folder: str) -> None:
    (namespace,) = of_kind(folder, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = {one["metadata"].get("namespace") for one in render(folder) if one["kind"] != "Namespace"}
    assert others == {name_of(namespace)}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_pod_is_restricted(folder: str) -> None:
    found = {name: violations(pod(workload)) for name, workload in of_kind(folder, *WORKLOADS).items()}
    assert {"api", "worker", "collector"} <= found.keys()
    assert not any(found.values()), found


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_pod_is_closer_than_restricted(folder: str) -> None:
    for workload in of_kind(folder, *WORKLOADS).values():
        spec = pod(workload)
        assert spec["automountServiceAccountToken"] is False
        # Kubernetes would set REDIS_PORT=tcp://... and the like for each Service.
        assert spec["enableServiceLinks"] is False
        for one in containers(spec):
            assert one["securityContext"]["readOnlyRootFilesystem"] is True
            assert one["resources"]["limits"]["memory"]
            assert one["resources"]["requests"].keys() == {"cpu", "memory"}


@pytest.mark.parametrize("folder", OVERLAYS)
def test_probes_give_time_and_ask_what_is_there(folder: str) -> None:
    for one in map(probed, of_kind(folder, *WORKLOADS).values()):
        assert one["livenessProbe"]
        assert one["startupProbe"]["periodSeconds"] * one["startupProbe"]["failureThreshold"] >= 30
        for probe in (one[name] for name in ("startupProbe", "livenessProbe", "readinessProbe") if name in one):
            # A process is started for it, on a node that may be busy.
            assert "exec" not in probe or probe["timeoutSeconds"] >= 3
            port = (probe.get("httpGet") or probe.get("tcpSocket") or {}).get("port")
            assert port is None or port in {each["name"] for each in one["ports"]}


def test_only_the_api_is_alive_without_redis_and_ready_with_it() -> None:
    one = probed(of_kind(LOCAL, "Deployment")["api"])
    assert one["livenessProbe"]["httpGet"]["path"] == one["startupProbe"]["httpGet"]["path"] == "/livez"
    assert one["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_name_that_is_used_exists(folder: str) -> None:
    maps, secrets = of_kind(folder, "ConfigMap"), of_kind(folder, "Secret")
    for workload in of_kind(folder, *WORKLOADS).values():
        spec = pod(workload)
        mounted = {one["name"] for one in spec.get("volumes", [])}
        mounted |= {name_of(claim) for claim in workload["spec"].get("volumeClaimTemplates", [])}
        for volume in spec.get("volumes", []):
            assert volume.get("configMap", {}).get("name") in {None, *maps}
            assert volume.get("secret", {}).get("secretName") in {None, *secrets, *MADE_BY_THE_OPERATOR[folder]}
        for one in containers(spec):
            assert {source["configMapRef"]["name"] for source in one.get("envFrom", [])} <= set(maps)
            assert {mount["name"] for mount in one["volumeMounts"]} <= mounted


@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_selector_finds_exactly_its_own_pods(folder: str) -> None:
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in of_kind(folder, *WORKLOADS).items()}

    def found(selector: dict[str, str]) -> list[str]:
        return [name for name, has in labels.items() if selector.items() <= has.items()]

    for name, one in of_kind(folder, *WORKLOADS, "PodDisruptionBudget").items():
        assert found(one["spec"]["selector"]["matchLabels"]) == [name]
    for name, service in of_kind(folder, "Service").items():
        assert found(service["spec"]["selector"]) == [name]
        ports = {port["name"] for port in probed(of_kind(folder, *WORKLOADS)[name])["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_services_run_twice_and_lose_one_pod_at_a_time(folder: str) -> None:
    budgets = of_kind(folder, "PodDisruptionBudget")
    for name in ("api", "worker", "collector"):
        deployment = of_kind(folder, "Deployment")[name]
        assert deployment["spec"]["replicas"] >= 2
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert budgets[name]["spec"]["maxUnavailable"] == 1


def test_nothing_is_pulled_that_was_built_here() -> None:
    for workload in of_kind(LOCAL, "Deployment").values():
        assert {one["imagePullPolicy"] for one in containers(pod(workload))} == {"IfNotPresent"}


def test_production_brings_no_server_and_no_secret_of_its_own() -> None:
    kinds = {one["kind"] for one in render(PRODUCTION)}
    assert kinds.isdisjoint({"StatefulSet", "Secret"})
    assert of_kind(PRODUCTION, "Service").keys() == {"api"}
