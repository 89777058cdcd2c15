"""The manifests of deploy/kubernetes, rendered by `kubectl kustomize`: pods, settings, allowed connections."""

import functools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
WORKLOADS = ("Deployment", "StatefulSet", "Job", "CronJob")
NETWORK = "network.mnist/"


def tool(name: str) -> str:
    """A program of the environment `kubernetes`, else of PATH."""
    path = shutil.which(name, path=f"{ROOT / '.venv/kubernetes/bin'}{os.pathsep}{os.environ['PATH']}")
    assert path, f"{name} is missing: make .venv/kubernetes/installed"
    return path


def render(folder: Path) -> list[dict]:
    """The documents of a kustomization."""
    command = [tool("kubectl"), "kustomize", folder]
    return list(
        yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    )


@functools.cache
def load_overlay(overlay: str) -> "Manifests":
    return Manifests(render(KUBERNETES / "overlays" / overlay))


@dataclass(frozen=True)
class Pod:
    """A pod of a workload: its name is that of the workload."""

    workload: dict
    template: dict
    configuration: dict[str, dict]

    @property
    def name(self) -> str:
        return self.workload["metadata"]["name"]

    @property
    def spec(self) -> dict:
        return self.template["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.template["metadata"]["labels"]

    @property
    def containers(self) -> dict[str, dict]:
        both = [*self.spec.get("initContainers", ()), *self.spec["containers"]]
        return {container["name"]: container for container in both}

    @property
    def networks(self) -> set[str]:
        return {name.removeprefix(NETWORK) for name in self.labels if name.startswith(NETWORK)}

    @property
    def ports(self) -> set[int]:
        return {port["containerPort"] for one in self.containers.values() for port in one.get("ports", ())}

    def environment(self, container: str) -> dict[str, str]:
        """The variables of a container, as Kubernetes sets them."""
        spec = self.containers[container]
        found: dict[str, str] = {}
        for source in spec.get("envFrom", ()):
            found |= self.configuration[source["configMapRef"]["name"]]
        for variable in spec.get("env", ()):
            value = variable.get("value")
            if value is None:
                of = variable["valueFrom"]
                key = of.get("configMapKeyRef")
                value = self.configuration[key["name"]][key["key"]] if key else of["fieldRef"]["fieldPath"]
            found[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], value)
        return found

    def secrets(self, container: str) -> set[str]:
        mounts = self.containers[container].get("volumeMounts", ())
        return {mount["subPath"] for mount in mounts if mount["mountPath"].startswith("/run/secrets/")}

    def volume(self, container: str, path: str) -> dict | None:
        """The volume that a container has at a path."""
        for mount in self.containers[container].get("volumeMounts", ()):
            if mount["mountPath"] == path:
                return next(one for one in self.spec["volumes"] if one["name"] == mount["name"])
        return None


class Manifests:
    def __init__(self, documents: list[dict]) -> None:
        self.documents = documents
        configuration = {one["metadata"]["name"]: one["data"] for one in self.kind("ConfigMap")}
        self.pods = {
            one["metadata"]["name"]: Pod(one, _template(one), configuration)
            for kind in WORKLOADS
            for one in self.kind(kind)
        }

    def kind(self, kind: str) -> list[dict]:
        return [document for document in self.documents if document["kind"] == kind]

    def selected(self, selector: dict) -> set[str]:
        """The pods of a selector."""
        assert selector.keys() <= {"matchLabels"}
        wanted = selector.get("matchLabels", {}).items()
        return {name for name, pod in self.pods.items() if wanted <= pod.labels.items()}

    def edges(self) -> set[tuple[str, str, int, str]]:
        """Client, server, port and protocol of every connection between pods that the policies allow."""
        out, into = set(self._allowed("Egress")), set(self._allowed("Ingress"))
        return {edge for edge in out if (edge[1], edge[0], *edge[2:]) in into and edge[0] != edge[1]}

    def _allowed(self, direction: str) -> Iterator[tuple[str, str, int, str]]:
        """Pod, other pod, port and protocol that the policies of a direction allow."""
        peers = "from" if direction == "Ingress" else "to"
        for policy in self.kind("NetworkPolicy"):
            for rule in policy["spec"].get(direction.lower(), ()):
                for peer in rule.get(peers, ()):
                    if peer.keys() != {"podSelector"}:
                        continue  # outside of the namespace
                    for pod in self.selected(policy["spec"]["podSelector"]):
                        for other in self.selected(peer["podSelector"]):
                            for port in rule["ports"]:
                                yield pod, other, port["port"], port.get("protocol", "TCP")


def _template(workload: dict) -> dict:
    spec = workload["spec"]
    return (spec["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else spec)["template"]


def without_names(document: dict) -> str:
    """A document with a constant namespace and constant images, which a schema does not check."""
    return re.sub(r'("namespace": |"image": )"[^"]*"', r'\1"x"', json.dumps(document, sort_keys=True))


COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
ONE = load_overlay("one-node")
# Containers without a service in docker-compose.yml, and the service that has the same image. Each has some of this
# service's settings and secrets.
HELPERS = {"split": "ops", "backup": "ops", "metrics": "exporter", "share": "released"}
# TorchServe pulls its archives and the desired state from the S3 store, and `share` puts the released archive there.
FROM_S3 = {"torchserve", "share"}

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)
each_pod = pytest.mark.parametrize("pod", ONE.pods.values(), ids=ONE.pods)


def resolve_default(value: object) -> str:
    """A value of docker-compose.yml with the defaults of its variables."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))
