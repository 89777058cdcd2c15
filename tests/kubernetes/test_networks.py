"""The NetworkPolicies and Services of deploy/kubernetes, compared with the networks of docker-compose.yml."""

import re
from pathlib import Path

import pytest

import settings
from ops.s3_server import PORT as S3_PORT
from ops.system import ROOT, System
from tests.kubernetes.manifests import (
    COMPOSE,
    FROM_S3,
    HELPERS,
    ONE,
    Pod,
    each_overlay,
    each_pod,
    load_overlay,
    resolve_default,
)

NETWORKS_OF_HELPERS = {
    "split": {"registry"},
    "backup": {"database", "registry"},
    "metrics": {"monitoring"},
    "share": {"registry"},
}
# These networks are inside TorchServe's pods.
INSIDE = {"management", "metrics"}
# Networks of docker-compose.yml that the pods do not have: stores outside need external-postgres and external-s3, and
# the cluster's Prometheus and Grafana are not behind the gateway.
WITHOUT = {"ops": {"outside"}, "gateway": {"monitoring"}}


def _networks(name: str) -> set[str]:
    """The networks of a container."""
    if name in HELPERS:
        return NETWORKS_OF_HELPERS[name]
    return set(COMPOSE[name].get("networks", ())) | ({"registry"} if name in FROM_S3 else set())


@each_pod
def test_a_pod_has_the_networks_of_compose(pod: Pod):
    there = set().union(*map(_networks, pod.containers))
    assert pod.networks == there - INSIDE - WITHOUT.get(pod.name, set())


@each_overlay
def test_a_pod_reaches_only_pods_of_its_networks(overlay):
    manifests = load_overlay(overlay)
    for client, server, _, _ in manifests.edges():
        assert manifests.pods[client].networks & manifests.pods[server].networks - {"public", "monitoring"}


def _names() -> dict[str, tuple[str, str]]:
    """Each name under which others reach a service of docker-compose.yml, with that service and its network."""
    names = {"postgres": ("postgres", "database"), "s3": ("s3", "registry")}
    for service, description in COMPOSE.items():
        networks = description.get("networks", ())
        for network in networks.keys() - INSIDE if isinstance(networks, dict) else ():
            aliases = (networks[network] or {}).get("aliases", ())
            names |= dict.fromkeys(aliases, (service, network))
    return names


NAMES = _names()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_compose_is_reached_by_the_pods_of_its_network(name):
    server, network = NAMES[name]
    [service] = [one for one in ONE.kind("Service") if one["metadata"]["name"] == name]
    assert ONE.selected({"matchLabels": service["spec"]["selector"]}) == {server}
    clients = {pod.name for pod in ONE.pods.values() if network in pod.networks} - {server}
    assert len(clients) >= 1
    for port in service["spec"]["ports"]:
        opened, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
        found = {client for client, *other in ONE.edges() if other == [server, opened, protocol]}
        assert found == clients


def test_a_network_has_only_the_ports_of_its_names():
    services = {one["metadata"]["name"]: one["spec"]["ports"] for one in ONE.kind("Service")}
    for network in {network for _, network in NAMES.values()}:
        ports = {_port(port) for name in NAMES if NAMES[name][1] == network for port in services[name]}
        [policy] = [one for one in ONE.kind("NetworkPolicy") if one["metadata"]["name"] == network]
        for rule in (*policy["spec"]["ingress"], *policy["spec"]["egress"]):
            assert {_port(port) for port in rule["ports"]} == ports


def _port(port: dict) -> tuple[int, str]:
    return port["port"], port.get("protocol", "TCP")


def test_names_have_the_ports_of_the_system():
    system = System(Path("/state"), Path("/models"), "", settings.GATEWAY_PORT.default)
    port_of = {
        "gateway-inner": system.inner_port,
        "torchserve-inference": system.inference_port,
        "postgres": system.database_port,
        "exporter-inner": system.exporter_port,
        "page-inner": int(
            re.search(r"page-inner:(\d+)", (ROOT / "ui/Dockerfile").read_text(encoding="utf-8"))[1]
        ),
        "s3": S3_PORT,
    }
    services = {one["metadata"]["name"]: one["spec"]["ports"] for one in ONE.kind("Service")}
    assert {name: ports[0]["port"] for name, ports in services.items() if name != "gateway"} == port_of
    published = [resolve_default(entry).split(":") for entry in COMPOSE["gateway"]["ports"]]
    assert [[str(port["port"]), str(port["targetPort"])] for port in services["gateway"]] == published


@each_overlay
def test_nothing_else_is_open(overlay):
    manifests = load_overlay(overlay)
    policies = {one["metadata"]["name"]: one["spec"] for one in manifests.kind("NetworkPolicy")}
    assert policies.pop("nothing-else") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies.pop("public")["ingress"] == [{"ports": [{"port": 8443}, {"port": 8080}]}]
    [names] = policies.pop("names")["egress"]
    assert {port["port"] for port in names["ports"]} == {53}
    [from_prometheus] = policies.pop("monitoring")["ingress"]
    assert from_prometheus["ports"] == [{"port": 8009}]
    for policy in policies.values():
        for rule in (*policy["ingress"], *policy["egress"]):
            [peer] = rule.get("from") or rule["to"]
            assert peer == {"podSelector": policy["podSelector"]}
            assert rule["ports"]
    published = {one["metadata"]["name"] for one in manifests.kind("Service") if "type" in one["spec"]}
    assert published == {"gateway"}
