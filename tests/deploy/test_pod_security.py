"""Each rule of the standard is broken once, so that a green manifest means something."""

from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.deploy.manifests import Manifest
from tests.deploy.pod_security import violations

GOOD: Manifest = {
    "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    "initContainers": [],
    "containers": [{"name": "one", "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}],
    "volumes": [{"name": "tmp", "emptyDir": {}}],
}

Change = Callable[[Manifest], object]


def context(pod: Manifest) -> Manifest:
    found: Manifest = pod["containers"][0]["securityContext"]
    return found


BREAKS: dict[str, Change] = {
    "hostNetwork is set": lambda pod: pod.update(hostNetwork=True),
    "volume host is a hostPath": lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
    "sysctl kernel.msgmax is not safe": lambda pod: pod["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "runs as user 0": lambda pod: pod["securityContext"].update(runAsUser=0),
    "container one: privileged": lambda pod: context(pod).update(privileged=True),
    "container one: allowPrivilegeEscalation is not false": lambda pod: context(pod).pop("allowPrivilegeEscalation"),
    "container one: does not drop ALL capabilities": lambda pod: context(pod)["capabilities"].clear(),
    "container one: adds the capability SYS_ADMIN": lambda pod: context(pod)["capabilities"].update(add=["SYS_ADMIN"]),
    "container one: runAsNonRoot is not true": lambda pod: pod["securityContext"].pop("runAsNonRoot"),
    "container one: runs as user 0": lambda pod: context(pod).update(runAsUser=0),
    "container one: no seccomp profile": lambda pod: pod["securityContext"].pop("seccompProfile"),
    "container one: procMount is not the default": lambda pod: context(pod).update(procMount="Unmasked"),
    "container one: takes a port of the host": lambda pod: pod["containers"][0].update(ports=[{"containerPort": 80, "hostPort": 80}]),
    "container one: runs without AppArmor": lambda pod: context(pod).update(appArmorProfile={"type": "Unconfined"}),
    "container one: sets an SELinux type": lambda pod: context(pod).update(seLinuxOptions={"type": "spc_t"}),
    "container one: sets an SELinux user or role": lambda pod: context(pod).update(seLinuxOptions={"role": "sysadm_r"}),
    "container one: is a Windows host process": lambda pod: context(pod).update(windowsOptions={"hostProcess": True}),
    "container start: does not drop ALL capabilities": lambda pod: pod["initContainers"].append(
        {"name": "start", "securityContext": {"allowPrivilegeEscalation": False}}
    ),
}


def test_a_restricted_pod_breaks_no_rule() -> None:
    assert violations(GOOD) == []


@pytest.mark.parametrize("sentence", BREAKS)
def test_each_rule_is_seen_when_broken(sentence: str) -> None:
    pod = deepcopy(GOOD)
    BREAKS[sentence](pod)
    assert violations(pod) == [sentence]
