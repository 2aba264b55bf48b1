"""The Pod Security Standard "restricted", as rules over a pod's spec.

https://kubernetes.io/docs/concepts/security/pod-security-standards/ : all of "baseline" that a spec can break, and "restricted".
"""

from collections.abc import Iterator
from typing import Any

from tests.deploy.manifests import Manifest, containers

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
SECCOMP = {"RuntimeDefault", "Localhost"}
APPARMOR = {None, "RuntimeDefault", "Localhost"}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
}


def violations(pod_spec: Manifest) -> list[str]:
    """What admission with ``enforce: restricted`` would refuse, one sentence each."""
    found = list(_pod(pod_spec))
    for container in containers(pod_spec):
        found += [f"container {container['name']}: {fault}" for fault in _container(container, pod_spec.get("securityContext", {}))]
    return found


def _pod(spec: Manifest) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield f"{name} is set"
    for volume in spec.get("volumes", []):
        for kind in set(volume) - {"name"} - VOLUMES:
            yield f"volume {volume['name']} is a {kind}"
    context = spec.get("securityContext", {})
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"sysctl {sysctl['name']} is not safe"
    if context.get("runAsUser") == 0:
        yield "runs as user 0"
    yield from _labels(context)


def _container(container: Manifest, pod_context: dict[str, Any]) -> Iterator[str]:
    context = container.get("securityContext", {})
    if context.get("privileged"):
        yield "privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield "does not drop ALL capabilities"
    for added in set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"adds the capability {added}"
    if context.get("runAsNonRoot", pod_context.get("runAsNonRoot")) is not True:
        yield "runAsNonRoot is not true"
    if context.get("runAsUser") == 0:
        yield "runs as user 0"
    if context.get("seccompProfile", pod_context.get("seccompProfile", {})).get("type") not in SECCOMP:
        yield "no seccomp profile"
    if context.get("procMount", "Default") != "Default":
        yield "procMount is not the default"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "takes a port of the host"
    yield from _labels(context)


def _labels(context: dict[str, Any]) -> Iterator[str]:
    if context.get("appArmorProfile", {}).get("type") not in APPARMOR:
        yield "runs without AppArmor"
    options = context.get("seLinuxOptions", {})
    if options.get("type", "") not in ("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"):
        yield "sets an SELinux type"
    if options.get("user") or options.get("role"):
        yield "sets an SELinux user or role"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "is a Windows host process"
